//! Caseloads that change hands, on the command line.

use chart::ids::{Digest, PatientId, PersonId, TransferId};
use chart::reference::Transfer;
use chart::time::{ClockTime, Timestamp};
use clap::{Args, Subcommand};
use hub::{TabletRow, TransferAct, TransferPreview, TransferWish};
use serde::Deserialize;

use super::outcome::{Outcome, failed, show};
use super::server::Server;
use crate::api::Entered;

#[derive(Debug, Subcommand)]
pub(crate) enum CaseloadCommand {
    /// Says what a transfer would move, and which tablets may hold edits nobody has sent; changes nothing
    Preview {
        #[command(flatten)]
        wish: Wish,
        #[command(flatten)]
        server: Server,
    },
    /// Hands patients over in one act, as a preview showed it
    Transfer {
        #[command(flatten)]
        wish: Wish,
        /// The act's id, from the preview: given again, it is done once
        #[arg(long)]
        act: TransferId,
        /// What the preview showed: if that has changed, nothing is done
        #[arg(long, value_parser = Digest::parse)]
        state: Digest,
        /// Who decides it: a supervisor, the front desk or the clinic's administrator
        #[arg(long)]
        by: PersonId,
        /// Why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: Server,
    },
    /// Lists what was handed over, the newest first
    List(Server),
}

/// Who is to be handed over.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// Whose caseload they leave
    #[arg(long)]
    from: PersonId,
    /// Whose caseload they enter
    #[arg(long)]
    to: PersonId,
    /// A patient; say it again for more, the whole caseload if not said
    #[arg(long = "patient")]
    patients: Vec<PatientId>,
    /// When they leave, such as 2026-03-17T08:00-05:00; at once if not said
    #[arg(long, value_parser = ClockTime::parse)]
    when: Option<ClockTime>,
}

impl Wish {
    fn told(self) -> TransferWish {
        let from_when = self.when.map(|at| Timestamp::from_unix_ms(at.minute().saturating_mul(60_000)));
        let patients = (!self.patients.is_empty()).then(|| self.patients.into_iter().collect());
        TransferWish { from: self.from, to: self.to, patients, from_when }
    }
}

#[derive(Deserialize)]
struct Transfers {
    transfers: Vec<Transfer>,
}

pub(crate) fn caseload(command: CaseloadCommand) -> Outcome {
    match command {
        CaseloadCommand::Preview { wish, server } => {
            let wish = wish.told();
            let preview: TransferPreview =
                server.client()?.post("/v1/admin/caseload/preview", &wish).map_err(failed)?;
            show(server.json, &preview, || preview_sentences(&preview))
        }
        CaseloadCommand::Transfer { wish, act, state, by, reason, server } => {
            let act = TransferAct { act, state, wish: wish.told(), by, reason };
            let done: Entered = server.client()?.post("/v1/admin/caseload/transfer", &act).map_err(failed)?;
            show(server.json, &done, || format!("Handed over ({}).", done.id))
        }
        CaseloadCommand::List(server) => {
            let Transfers { transfers } = server.client()?.get("/v1/admin/caseload").map_err(failed)?;
            show(server.json, &transfers, || transfers.iter().map(transfer_sentence).collect())
        }
    }
}

fn preview_sentences(preview: &TransferPreview) -> String {
    let sum = |count: fn(&hub::PatientRow) -> u64| preview.patients.iter().map(count).sum::<u64>();
    let mut said = format!(
        "{} move on {}: {}, {}, {} of them unsigned; work held on {}.\n",
        counted(preview.patients.len() as u64, "patient"),
        preview.from_when,
        counted(sum(|row| row.episodes), "episode"),
        counted(sum(|row| row.notes), "note"),
        sum(|row| row.unsigned),
        counted(sum(|row| row.held), "note"),
    );
    for row in &preview.patients {
        said.push_str(&format!(
            "  {} ({}): {}, {}, {} unsigned\n",
            row.name,
            row.patient,
            counted(row.episodes, "episode"),
            counted(row.notes, "note"),
            row.unsigned
        ));
    }
    preview.tablets.iter().for_each(|row| said.push_str(&format!("  {}\n", tablet_sentence(row))));
    said.push_str(
        "What the first therapist wrote before then counts, whenever it arrives; what is written\n",
    );
    said.push_str("later waits for a supervisor, but for the unsigned notes, which stay theirs to finish.\n");
    said.push_str(&format!(
        "To do it: gaitway caseload transfer --act {} --state {} ...",
        preview.act, preview.state
    ));
    said
}

fn tablet_sentence(row: &TabletRow) -> String {
    let state = match (row.connected, row.heard_at) {
        (true, _) => "connected; what it has not sent is on its way".to_owned(),
        (false, Some(at)) => format!("may hold unsent edits since {at}"),
        (false, None) => "never heard; may hold unsent edits".to_owned(),
    };
    let behind = match row.behind {
        0 => String::new(),
        n => format!("; has not seen the newest of {}", counted(n, "document")),
    };
    let revoked = if row.revoked { "; revoked, all it brings is held" } else { "" };
    format!("{}: {state}{behind}{revoked} ({})", row.name, row.device)
}

fn transfer_sentence(transfer: &Transfer) -> String {
    let state = match (transfer.left, transfer.settled) {
        (false, _) => format!("they leave on {}", transfer.from_when),
        (true, false) => "the notes are being given their new places".to_owned(),
        (true, true) => format!("since {}", transfer.from_when),
    };
    format!(
        "{}  {} from {} to {}, {state}; decided on {} by {}: {}\n",
        transfer.id,
        counted(transfer.patients.len() as u64, "patient"),
        transfer.from,
        transfer.to,
        transfer.at,
        transfer.by,
        transfer.reason
    )
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
