//! Claims, page and manifest agree with the cases.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: a failed expectation is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use zk_conformance::case;
use zk_conformance::claim::{Claim, Manifest, page};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// In the order of the page's columns.
const CLAIMS: &[&str] = &["apache-3.8.0.json", "apache-3.9.5.json", "vivarium.json"];

fn claims() -> Vec<Claim> {
    let read = |name: &&str| {
        let text = fs::read_to_string(file("claims").join(name)).expect("a claim");
        serde_json::from_str(&text).expect("a claim parses")
    };
    CLAIMS.iter().map(read).collect()
}

fn manifest() -> Manifest {
    let text = fs::read_to_string(file("manifest.toml")).expect("the manifest");
    toml::from_str(&text).expect("the manifest parses")
}

#[test]
fn claims_are_of_these_cases() {
    for claim in claims() {
        assert_eq!(
            claim.suite_hash,
            case::suite_hash(),
            "{} was run with other cases",
            claim.name
        );
    }
}

#[test]
fn the_compatibility_page_is_fresh() {
    let cases = case::all().expect("cases parse");
    let wanted = page(&claims(), &cases, &manifest()).expect("a page");
    let found = fs::read_to_string(file("../docs/compatibility.md")).expect("the page");
    assert!(
        wanted == found,
        "run: zk-conformance claim page ...; see conformance/README.md"
    );
}

#[test]
fn the_manifest_names_cases_that_exist() {
    let cases = case::all().expect("cases parse");
    for class in manifest().class {
        assert!(
            !class.cases.is_empty() || !class.reason.is_empty(),
            "{} has neither cases nor a reason",
            class.name
        );
        for section in &class.cases {
            let known = cases.iter().any(|case| {
                case.id == *section
                    || case
                        .id
                        .strip_prefix(section.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            });
            assert!(known, "{}: no case {section}", class.name);
        }
    }
}
