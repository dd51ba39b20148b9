//! The ZAB protocol core: a sans-IO state machine.
