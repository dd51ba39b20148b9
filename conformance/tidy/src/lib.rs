//! Rules about this repository, as tests.
