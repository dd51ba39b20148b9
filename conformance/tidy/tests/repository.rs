//! What the repository must look like.

use std::collections::BTreeSet;

use anyhow::Result;
use tidy::tree::{dependencies, folders_with_manifests, sources, top};

/// Each crate with the workspace crates that it may use. Lines point at what is more stable.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("zab", &[]),
    ("zab-properties", &["zab"]),
    ("zab-checker", &["zab", "zab-properties"]),
    ("zk-proto", &["zab"]),
    ("zk-tree", &["zk-proto"]),
    ("zk-storage", &["zk-proto"]),
    ("zk-node", &["zab", "zk-proto", "zk-tree", "zk-storage"]),
    ("zk-client", &["zk-proto"]),
    (
        "zk-server",
        &["zab", "zk-proto", "zk-tree", "zk-storage", "zk-node"],
    ),
    (
        "zk-sim",
        &[
            "zab",
            "zab-properties",
            "zk-proto",
            "zk-tree",
            "zk-storage",
            "zk-node",
        ],
    ),
    ("zk-fuzz", &["zk-proto", "zk-storage", "zk-tree"]),
    ("zk-conformance", &[]),
    ("zk-bench", &["zk-proto"]),
    ("tidy", &[]),
];

#[test]
fn dependencies_point_one_way() -> Result<()> {
    let crates = dependencies()?;
    let names: BTreeSet<_> = crates.keys().cloned().collect();
    for (name, uses) in &crates {
        let Some((_, allowed)) = MAY_USE.iter().find(|(n, _)| n == name) else {
            panic!("{name} is not in the table of this test");
        };
        for dependency in uses.iter().filter(|d| names.contains(*d)) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not use {dependency}"
            );
        }
    }
    Ok(())
}

#[test]
fn runtimes_stay_at_the_edge() -> Result<()> {
    let crates = dependencies()?;
    let edge = ["zk-server", "zk-client", "zk-conformance", "zk-bench"];
    for (name, uses) in &crates {
        let has = |d: &str| uses.iter().any(|u| u == d);
        assert!(
            !has("tokio") || edge.contains(&name.as_str()),
            "{name} must not know tokio"
        );
        assert!(
            !has("stateright") || name == "zab-checker",
            "{name} must not know stateright"
        );
        if name == "zab" {
            let allowed = ["thiserror", "serde"];
            assert!(
                uses.iter().all(|u| allowed.contains(&u.as_str())),
                "zab uses {uses:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn pure_crates_stay_without_std() -> Result<()> {
    for path in [
        "model/zab/src/lib.rs",
        "impl/proto/src/lib.rs",
        "impl/tree/src/lib.rs",
    ] {
        let text = std::fs::read_to_string(top()?.join(path))?;
        let without =
            text.contains("#![no_std]") || text.contains("#![cfg_attr(not(test), no_std)]");
        assert!(without, "{path} is not no_std");
    }
    Ok(())
}

#[test]
fn nothing_in_the_pure_core_reads_a_clock_a_file_or_a_random_source() -> Result<()> {
    let banned = [
        "std::time",
        "std::fs",
        "std::net",
        "std::thread",
        "std::collections::HashMap",
        "rand::",
    ];
    let pure = [
        "model/zab/src/",
        "model/properties/src/",
        "impl/proto/src/",
        "impl/tree/src/",
    ];
    for source in sources(&[".rs"])?
        .iter()
        .filter(|s| pure.iter().any(|p| s.path.starts_with(p)))
    {
        for word in banned {
            assert!(!source.text.contains(word), "{} names {word}", source.path);
        }
    }
    Ok(())
}

#[test]
fn every_crate_has_the_shared_lints_and_a_readme() -> Result<()> {
    for folder in folders_with_manifests()? {
        let manifest = std::fs::read_to_string(top()?.join(&folder).join("Cargo.toml"))?;
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{folder}: lints.workspace is not set"
        );
        assert!(
            top()?.join(&folder).join("README.md").exists(),
            "{folder} has no README.md"
        );
    }
    for folder in ["model", "impl", "conformance", "specs", "benches", "docs"] {
        assert!(
            top()?.join(folder).join("README.md").exists(),
            "{folder} has no README.md"
        );
    }
    Ok(())
}

#[test]
fn the_server_tests_are_listed() -> Result<()> {
    let folder = top()?.join("impl/server/tests");
    let list = std::fs::read_to_string(folder.join("README.md"))?;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(
            !name.ends_with(".rs") || list.contains(&format!("| `{name}` |")),
            "impl/server/tests/README.md does not list {name}"
        );
    }
    Ok(())
}

#[test]
fn no_path_of_a_machine_and_no_unfinished_mark() -> Result<()> {
    // Built from halves so that this file does not find itself.
    let banned = [
        ["/wo", "rk/"],
        ["/ro", "ot/."],
        ["/opt/or", "acle"],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["todo", "!("],
    ];
    for source in sources(&[".rs", ".toml", ".md", ".py", ".sh", ".cfg"])? {
        for halves in banned {
            let word = halves.concat();
            assert!(
                !source.text.contains(&word),
                "{} holds `{word}`",
                source.path
            );
        }
    }
    Ok(())
}

#[test]
fn only_the_core_decides_the_protocol() -> Result<()> {
    // Votes, quorums and acknowledgements are the core's: its host carries them and compares nothing.
    let banned = [
        "is_quorum",
        "has_quorum",
        "Verifier",
        "beats(",
        ".acks",
        "ack_count",
        "peer_epoch >",
        "peer_epoch <",
    ];
    let host = ["impl/node/src/", "impl/server/src/shell/", "impl/sim/src/"];
    for source in sources(&[".rs"])?
        .iter()
        .filter(|s| host.iter().any(|p| s.path.starts_with(p)))
    {
        for word in banned {
            assert!(
                !source.text.contains(word),
                "{} names {word}: ask the core",
                source.path
            );
        }
    }
    Ok(())
}

#[test]
fn no_server_for_use_has_a_mutant() -> Result<()> {
    // The feature is handed down to zk-tree and asked for by name only.
    let handed_down = [
        ("impl/tree/Cargo.toml", "mutants = []"),
        ("impl/node/Cargo.toml", "mutants = [\"zk-tree/mutants\"]"),
        ("impl/server/Cargo.toml", "mutants = [\"zk-node/mutants\"]"),
        ("impl/sim/Cargo.toml", "mutants = [\"zk-node/mutants\"]"),
    ];
    for manifest in sources(&["Cargo.toml"])? {
        let own = handed_down.iter().find(|(path, _)| *path == manifest.path);
        for line in manifest.text.lines().filter(|l| l.contains("mutants")) {
            let expected = own.is_some_and(|(_, feature)| *feature == line)
                || line == "required-features = [\"mutants\"]"
                || line.starts_with('#');
            assert!(expected, "{}: {line}", manifest.path);
        }
        assert!(
            own.is_none() || !manifest.text.contains("\ndefault = "),
            "{} has default features",
            manifest.path
        );
    }
    let main = std::fs::read_to_string(top()?.join("impl/server/src/main.rs"))?;
    assert!(main.contains("#[cfg(feature = \"mutants\")]\ncompile_error!"));
    Ok(())
}
