//! `vivarium-mutant`: the server with the one deliberate misbehaviour that `VIVARIUM_MUTANT` names. For tests of the
//! conformance suite; never for use.
//!
//! `vivarium-mutant list` tells the names, each with what it does.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use zk_node::Mutant;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("list") {
        for mutant in Mutant::ALL {
            println!("{mutant:?}\t{}", mutant.what());
        }
        return ExitCode::SUCCESS;
    }
    // Without a name it is the server as it should be.
    if let Ok(name) = std::env::var("VIVARIUM_MUTANT") {
        let Some(mutant) = Mutant::named(&name) else {
            eprintln!("no mutant {name}");
            return cli::exit::CONFIGURATION.into();
        };
        mutant.choose();
    }
    cli::Cli::parse().run()
}
