//! What host names mean to a process, as the test says and changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{repository, run};

/// A look-up of names that is put before the C library's, and the file that it reads each time.
pub(crate) struct Names {
    library: PathBuf,
    file: PathBuf,
}

impl Names {
    /// None means anything yet.
    pub(crate) fn none(folder: &Path) -> Self {
        let names = Self {
            library: folder.join("names.so"),
            file: folder.join("names"),
        };
        let mut compile = Command::new("cc");
        compile.args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
        compile.arg(&names.library);
        compile.arg(repository("impl/server/tests/harness/names.c"));
        compile.arg("-ldl");
        run(&mut compile);
        names.mean(&[]);
        names
    }

    /// From now on these names mean these addresses, and all others nothing.
    pub(crate) fn mean(&self, names: &[(&str, &str)]) {
        let lines = names
            .iter()
            .map(|(name, address)| format!("{name} {address}\n"));
        // Whoever reads finds the old file or the new one, whole.
        let new = self.file.with_extension("new");
        fs::write(&new, lines.collect::<String>()).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// What a process must be given to look names up here.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("NAMES_FILE", self.file.clone()),
        ]
    }
}
