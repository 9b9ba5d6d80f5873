//! Which stretches of a list share time with another: sorted once, asked often. Knows no rule.

use chart::time::Span;

/// Things with their times, in order of start.
pub(crate) struct Spans<T> {
    items: Vec<(Span, T)>,
    /// For each place, the latest end up to it: what ends before a time is skipped at once.
    reach: Vec<i64>,
}

impl<T> Spans<T> {
    pub(crate) fn of(items: impl IntoIterator<Item = (Span, T)>) -> Self {
        let mut items: Vec<(Span, T)> = items.into_iter().collect();
        items.sort_by_key(|(span, _)| span.start());
        let mut latest = i64::MIN;
        let ends = items.iter().map(|(span, _)| {
            latest = latest.max(span.end());
            latest
        });
        let reach = ends.collect();
        Self { items, reach }
    }

    /// Those that share time with a span, with the time shared, in order of start.
    pub(crate) fn meeting(&self, span: Span) -> impl Iterator<Item = (&T, Span)> {
        let until = self.items.partition_point(|(item, _)| item.start() < span.end());
        let from = self.reach.partition_point(|end| *end <= span.start()).min(until);
        let near = self.items.get(from..until).unwrap_or(&[]);
        near.iter().filter_map(move |(item, thing)| Some((thing, span.shared(*item)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chart::time::ClockTime;

    fn span(start: i64, end: i64) -> Span {
        let at = |minute| ClockTime::new(minute, 0).unwrap();
        Span::between(at(start), at(end)).unwrap()
    }

    #[test]
    fn what_meets_a_span_is_what_a_look_at_each_would_find() {
        let mut number = 97_112u64;
        let mut below = |n: u64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i64::try_from((number >> 33) % n).unwrap()
        };
        let mut met = 0;
        for _ in 0..300 {
            let all: Vec<Span> = (0..below(12))
                .map(|_| {
                    let start = below(60);
                    span(start, start + 1 + below(20))
                })
                .collect();
            let spans = Spans::of(all.iter().enumerate().map(|(n, span)| (*span, n)));
            let asked = span(20, 21 + below(30));
            let mut found: Vec<usize> = spans.meeting(asked).map(|(n, _)| *n).collect();
            found.sort_unstable();
            let one_by_one = all.iter().enumerate().filter(|(_, span)| asked.shared(**span).is_some());
            let expected: Vec<usize> = one_by_one.map(|(n, _)| n).collect();
            met += expected.len();
            assert_eq!(found, expected);
        }
        assert!(met > 300);
    }
}
