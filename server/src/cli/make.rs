//! `init` and `serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::outcome::{Failure, Outcome, failed, show};
use crate::config::Config;
use crate::datadir::DataDir;
use crate::faults::Faults;
use crate::init::{InitError, NewClinic};
use crate::judge::{self, Planted};
use crate::{logging, opening, serve as server};

/// Makes a clinic's directory.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The directory: new, or empty
    dir: PathBuf,
    /// The clinic's name
    #[arg(long)]
    name: String,
    /// The offset of the clinic's clocks from UTC, in minutes (-300 is five hours behind)
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    offset_minutes: i16,
    /// The first administrator's name
    #[arg(long, default_value = "Administrator")]
    admin: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn init(args: &Init) -> Outcome {
    let clinic =
        NewClinic { name: args.name.clone(), offset_minutes: args.offset_minutes, admin: args.admin.clone() };
    let made = crate::init::init(&args.dir, &clinic).map_err(|error| match error {
        InitError::Input(sentence) => Failure::Usage(sentence),
        other => failed(other),
    })?;
    show(args.json, &made, || {
        let dir = made.directory.display();
        format!(
            "The clinic's directory is {dir}. Keep a copy of {dir}/keys.toml in a safe place away from \
             this machine: without it nobody can read the record.\nThe first administrator is {}.\n\
             Next: gaitway serve --data {dir}",
            made.admin
        )
    })
}

/// Judges one case in this process and says whether it came to an end; the server runs it.
pub(crate) fn judge_one() -> Outcome {
    let planted = Planted::from_environment().map_err(Failure::Usage)?;
    judge::judge_one(planted).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Computes one report in a process of its own.
#[derive(Debug, Args)]
pub(crate) struct ReckonOne {
    /// The clinic's own rules
    #[arg(long)]
    rules: Option<PathBuf>,
}

/// Computes one report in this process and says whether it came to an end; the server runs it.
pub(crate) fn reckon_one(args: &ReckonOne) -> Outcome {
    let planted = Planted::from_environment().map_err(Failure::Usage)?;
    let rulebook = opening::rulebook(args.rules.as_deref()).map_err(failed)?;
    judge::reckon_one(planted, rulebook).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the clinic's server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The clinic's directory
    #[arg(long, env = "GAITWAY_DATA")]
    data: PathBuf,
    /// The configuration file; gaitway.toml in the directory if not said
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where to listen
    #[arg(long)]
    listen: Option<String>,
    /// A proxy in front of the server speaks TLS to the outside
    #[arg(long)]
    behind_tls_proxy: bool,
    /// How log lines look: text or json
    #[arg(long)]
    log_format: Option<String>,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long)]
    log: Option<String>,
    /// A directory of rule files beside the built-in ones; `rules` in the clinic's directory if there is one
    #[arg(long)]
    rules: Option<PathBuf>,
}

pub(crate) fn serve(args: &Serve) -> Outcome {
    let data = DataDir::new(&args.data);
    data.must_exist().map_err(failed)?;
    let file = args.config.clone().unwrap_or_else(|| data.config());
    if args.config.is_some() && !file.is_file() {
        return Err(Failure::Usage(format!("there is no configuration file {}", file.display())));
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let usage = |error: crate::config::ConfigError| Failure::Usage(error.to_string());
    let mut config = Config::load(&file, environment).map_err(usage)?;
    let flags = [("listen", &args.listen), ("log_format", &args.log_format), ("log", &args.log)];
    for (key, value) in flags {
        if let Some(value) = value {
            config.set(key, value).map_err(usage)?;
        }
    }
    config.behind_tls_proxy |= args.behind_tls_proxy;
    let own_rules = || Some(data.rules()).filter(|rules| rules.is_dir());
    config.rules = args.rules.clone().or(config.rules).or_else(own_rules);
    config.check().map_err(usage)?;
    let faults =
        Faults::parse(&std::env::var("GAITWAY_KILL_AT").unwrap_or_default()).map_err(Failure::Usage)?;
    let planted = Planted::from_environment().map_err(Failure::Usage)?;
    logging::start(&config).map_err(Failure::Usage)?;
    server::serve(&data, &config, faults, planted).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
