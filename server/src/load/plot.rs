//! The figures of two clinics as a picture: what catching up costs over how much is held, a line for each
//! number of changes. An SVG without scripts or fonts of its own; both axes are logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::clinics::{CatchUp, Clinics};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 4] = ["#5b6b7a", "#1f6f8b", "#b3541e", "#6a3d9a"];

/// Draws bytes and processor time side by side.
pub(super) fn draw(clinics: &Clinics) -> String {
    let mut svg = String::new();
    let (width, height) = (2.0 * WIDTH, HEIGHT);
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n<rect width=\"{width}\" \
         height=\"{height}\" fill=\"white\"/>"
    );
    panel(&mut svg, 0.0, "bytes over the line", clinics, |one| one.bytes as f64);
    panel(&mut svg, WIDTH, "processor time of both servers, ms", clinics, |one| one.cpu_ms.max(1.0));
    svg.push_str("</svg>\n");
    svg
}

/// A range of powers of ten and where they lie.
struct Scale {
    first: f64,
    last: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let first = values.clone().fold(f64::INFINITY, f64::min).max(1.0).log10().floor();
        let last = values.fold(1.0, f64::max).log10().ceil().max(first + 1.0);
        Self { first, last, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(1.0).log10() - self.first) / (self.last - self.first);
        self.from + part * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let (first, last) = (self.first as i32, self.last as i32);
        (first..=last).map(|power| 10f64.powi(power))
    }
}

fn panel(svg: &mut String, x: f64, title: &str, clinics: &Clinics, value: fn(&CatchUp) -> f64) {
    let all = &clinics.catching_up;
    let across = Scale::over(all.iter().map(|one| one.notes as f64), x + LEFT, x + WIDTH - RIGHT);
    let up = Scale::over(all.iter().map(value), HEIGHT - BOTTOM, TOP);
    let _ = writeln!(svg, "<text x=\"{}\" y=\"18\" font-size=\"13\">{title}</text>", x + LEFT);
    for power in up.powers() {
        let y = up.at(power);
        let (left, right) = (x + LEFT, x + WIDTH - RIGHT);
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{power}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for power in across.powers() {
        let (at, y) = (across.at(power), HEIGHT - BOTTOM + 16.0);
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\">{power}</text>");
    }
    let (middle, y) = (x + (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">notes held by both</text>");
    let mut lines: BTreeMap<usize, Vec<&CatchUp>> = BTreeMap::new();
    for one in all {
        lines.entry(one.changed).or_default().push(one);
    }
    for ((changed, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let at = |one: &&CatchUp| format!("{:.1},{:.1}", across.at(one.notes as f64), up.at(value(one)));
        let path = points.iter().map(at).collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        if let Some(last) = points.last() {
            let (x, y) = (across.at(last.notes as f64) + 8.0, up.at(value(last)) + 4.0);
            let _ =
                writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{changed} changed</text>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_changes_has_a_line_that_rises_with_its_cost() {
        let one = |notes, changed, bytes| CatchUp { notes, changed, bytes, ms: 1.0, cpu_ms: 10.0 };
        let catching_up = vec![one(1_000, 0, 2_000), one(10_000, 0, 2_000), one(1_000, 100, 90_000)];
        let svg = draw(&Clinics { catching_up, proofs: Vec::new() });
        assert_eq!(svg.matches("<polyline").count(), 4, "two panels of two lines");
        let points = svg.split("points=\"").nth(1).and_then(|rest| rest.split('"').next());
        let heights: Vec<&str> = points
            .into_iter()
            .flat_map(|points| points.split(' '))
            .filter_map(|point| point.split(',').nth(1))
            .collect();
        assert_eq!(heights.len(), 2);
        assert_eq!(heights.first(), heights.last(), "what costs the same lies level");
    }
}
