//! `vivarium-mutant`: the server with the one deliberate misbehaviour that `VIVARIUM_MUTANT` names. For tests of the
//! conformance suite; never for use.
//!
//! With `VIVARIUM_FAULT` it goes down instead, by a panic of the thread of that name (`Clients`, `Driver`, `Log`, `Fill`,
//! `Snapshot`) or a failed `Sync`, once the file that `VIVARIUM_FAULT_FILE` names exists: for the tests of its end.
//!
//! `vivarium-mutant list` tells the names, each with what it does.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use zk_node::Mutant;
use zk_server::Fault;

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
    if let Ok(name) = std::env::var("VIVARIUM_FAULT") {
        let file = std::env::var_os("VIVARIUM_FAULT_FILE").unwrap_or_default();
        let Some(fault) = Fault::named(&name) else {
            eprintln!("no fault {name}");
            return cli::exit::CONFIGURATION.into();
        };
        fault.choose(file.into());
    }
    cli::Cli::parse().run()
}
