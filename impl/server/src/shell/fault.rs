//! Faults that a test puts into `vivarium-mutant` while it runs: a thread that panics, a sync of the log that fails.
//!
//! A server for use has none: without the feature `mutants` [`pass`] is empty and [`disk`] is the real one.

#[cfg(feature = "mutants")]
pub use chosen::Fault;
#[cfg(feature = "mutants")]
pub(crate) use chosen::{disk, pass};

/// A turn of a thread that lives as long as the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Clients,
    Driver,
    Log,
    Fill,
    Snapshot,
}

/// A thread begins a turn.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn pass(_: Turn) {}

/// Where the data is.
#[cfg(not(feature = "mutants"))]
pub(crate) fn disk() -> std::sync::Arc<dyn zk_storage::disk::Disk> {
    std::sync::Arc::new(zk_storage::disk::RealDisk)
}

#[cfg(feature = "mutants")]
mod chosen {
    use super::Turn;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, OnceLock};
    use zk_storage::disk::{Disk, DiskFile, RealDisk};

    /// What goes wrong.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        Clients,
        Driver,
        Log,
        Fill,
        Snapshot,
        /// `fdatasync` fails.
        Sync,
    }

    /// The fault, and the file whose existence sets it off.
    static CHOSEN: OnceLock<(Fault, PathBuf)> = OnceLock::new();

    impl Fault {
        const ALL: [Self; 6] = [
            Self::Clients,
            Self::Driver,
            Self::Log,
            Self::Fill,
            Self::Snapshot,
            Self::Sync,
        ];

        /// The fault with this name.
        #[must_use]
        pub fn named(name: &str) -> Option<Self> {
            Self::ALL
                .into_iter()
                .find(|fault| format!("{fault:?}") == name)
        }

        /// This process has the fault once `file` exists. The first choice stands.
        pub fn choose(self, file: PathBuf) {
            CHOSEN.get_or_init(|| (self, file));
        }

        fn acts(self) -> bool {
            CHOSEN
                .get()
                .is_some_and(|(chosen, file)| *chosen == self && file.exists())
        }
    }

    /// A thread begins a turn.
    ///
    /// # Panics
    /// If that is the fault.
    pub(crate) fn pass(turn: Turn) {
        let fault = match turn {
            Turn::Clients => Fault::Clients,
            Turn::Driver => Fault::Driver,
            Turn::Log => Fault::Log,
            Turn::Fill => Fault::Fill,
            Turn::Snapshot => Fault::Snapshot,
        };
        assert!(!fault.acts(), "as the test wished: {turn:?}");
    }

    /// The real disk, whose syncs fail if that is the fault.
    pub(crate) fn disk() -> Arc<dyn Disk> {
        Arc::new(FaultyDisk)
    }

    #[derive(Debug)]
    struct FaultyDisk;

    #[derive(Debug)]
    struct FaultyFile(Box<dyn DiskFile>);

    fn faulty(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile(file))
    }

    impl Disk for FaultyDisk {
        fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
            RealDisk.create_new(path).map(faulty)
        }

        fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
            RealDisk.open_read(path)
        }

        fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
            RealDisk.open_write(path).map(faulty)
        }

        fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
            RealDisk.list(dir)
        }

        fn exists(&self, path: &Path) -> io::Result<bool> {
            RealDisk.exists(path)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            RealDisk.rename(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            RealDisk.remove(path)
        }

        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            RealDisk.sync_dir(dir)
        }

        fn create_dirs(&self, dir: &Path) -> io::Result<()> {
            RealDisk.create_dirs(dir)
        }

        fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
            RealDisk.lock(dir)
        }
    }

    impl DiskFile for FaultyFile {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read_at(offset, buf)
        }

        fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
            self.0.write_at(offset, bytes)
        }

        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            if Fault::Sync.acts() {
                return Err(io::Error::from_raw_os_error(
                    rustix::io::Errno::IO.raw_os_error(),
                ));
            }
            self.0.sync_data()
        }
    }
}
