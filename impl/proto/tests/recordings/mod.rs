//! Reads the files of `conformance/bytes`.
#![allow(dead_code)] // each test file that includes this one uses a part
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use std::fs;
use std::path::{Path, PathBuf};

/// What passed on one connection.
pub(crate) struct Conversation {
    /// The words behind the connection's number.
    pub(crate) about: String,
    /// In order: whether the dialler sent it, and the bytes.
    pub(crate) messages: Vec<(bool, Vec<u8>)>,
}

impl Conversation {
    /// All bytes of one direction.
    pub(crate) fn stream(&self, from_dialler: bool) -> Vec<u8> {
        let chunks = self
            .messages
            .iter()
            .filter(|(from, _)| *from == from_dialler);
        chunks.flat_map(|(_, bytes)| bytes).copied().collect()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/bytes")
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The connections of a text file.
pub(crate) fn conversations(name: &str) -> Vec<Conversation> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let mut all: Vec<Conversation> = Vec::new();
    for line in text.lines() {
        match line.split_once(' ').unwrap() {
            ("connection", about) => all.push(Conversation {
                about: about.into(),
                messages: Vec::new(),
            }),
            (">", hex) => all.last_mut().unwrap().messages.push((true, unhex(hex))),
            ("<", hex) => all.last_mut().unwrap().messages.push((false, unhex(hex))),
            _ => assert!(line.starts_with('#'), "{line}"),
        }
    }
    all
}

/// Files in the folders whose names start with `disk-`, in order of their paths.
pub(crate) fn files(wanted: impl Fn(&str) -> bool) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir()
            && path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("disk-")
        {
            for file in fs::read_dir(path).unwrap() {
                let file = file.unwrap().path();
                if wanted(&file.file_name().unwrap().to_string_lossy()) {
                    found.push((file.clone(), fs::read(&file).unwrap()));
                }
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}
