//! `mayag certs`: the development PKI of a federation.

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_certs_dev::plan::Plan;
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use std::path::PathBuf;

/// Make authorities, certificates, revocation lists, signing keys and the signed roster of a development federation
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing made here is fit for real data. An existing DIR/pki is left alone unless `--replace` is given.

Examples:
  mayag certs --dir ./federation
  mayag certs --dir ./federation --replace")]
pub struct CertsArgs {
    /// The federation's folder; everything goes to DIR/pki
    #[arg(long)]
    dir: PathBuf,
    /// Replace a DIR/pki that was made by this command, keys included
    #[arg(long)]
    replace: bool,
}

/// Makes the PKI and prints where it is.
pub fn run(args: &CertsArgs, printer: &mut Printer) -> Exit {
    let pki = args.dir.join("pki");
    if pki.exists() && !args.replace {
        let what = format!(
            "{} exists; choose another folder, or replace it with `--replace`",
            pki.display()
        );
        return failed(printer, Exit::Usage, &what);
    }
    let made = Plan::demo(SystemClock.now())
        .map_err(Into::into)
        .and_then(|plan| mayag_certs_dev::generate(&plan, &args.dir));
    match made {
        Ok(summary) => {
            printer.talk(&format!(
                "{} authorities, {} nodes, {} gateways, {} people; the first of it expires at {}",
                summary.authorities,
                summary.nodes.len(),
                summary.gateways.len(),
                summary.people.len(),
                summary.first_expiry
            ));
            let result = printer.line(&summary.pki.display().to_string());
            written(printer, result, Exit::Complete)
        }
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    }
}
