//! Stateright models of ZAB and their command line.
