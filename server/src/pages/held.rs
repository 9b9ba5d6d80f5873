//! Work that was not admitted, as a table: whose it is, why it waits, and that nothing of it is lost.

use hub::QuarantineRow;
use maud::{Markup, html};

use crate::view::Names;

pub(super) fn table(names: &Names, rows: &[QuarantineRow]) -> Markup {
    html! {
        div class="card scroll" tabindex="0" role="region" aria-label="Work that was not admitted" {
            table {
                thead { tr {
                    th scope="col" { "Received" } th scope="col" { "From" } th scope="col" { "State" }
                    th scope="col" class="number" { "Changes" } th scope="col" { "Why" } th scope="col" { "Note" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td { (names.time(row.received_at)) }
                            td { (row.person_name) " on " (names.device(row.device)) }
                            td {
                                @if !row.open { span class="tag good" { "✓ settled" } }
                                @else if row.outcome == "held" { span class="tag warning" { "held" } }
                                @else { span class="tag blocker" { (row.outcome) } }
                            }
                            td class="number" { (row.hashes.len()) }
                            td { (row.sentence) " " span class="id" { (row.reason) } }
                            td { a class="id" href={ "/review/notes/" (row.document) } { (row.document) } }
                        }
                    }
                }
            }
        }
    }
}
