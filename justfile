# Short names for what the scripts and cargo do. Nothing needs `just`.

# Everything CI runs.
check:
    bash check.sh

# A server on 127.0.0.1:2181.
server *args:
    cargo run --release --locked --bin vivarium -- server {{args}}

# Three servers on 127.0.0.1:2181, 2182, 2183.
ensemble *args:
    cargo run --release --locked --bin vivarium -- ensemble {{args}}

# The leader killed under load, so many times: what is lost (nothing may be), and ms to the next write.
failover kills="50":
    VIVARIUM_KILLS={{kills}} cargo test --release --locked -p zk-server --test failover -- --nocapture

# The checker at its per-push bounds.
model-quick:
    cargo test -p zab-checker --locked

# The searches too long for every push, all mutants in full, and the results table of model/README.md. Hours.
deep *names:
    bash model/deep.sh {{names}}

# One seed of the simulator.
sim seed:
    cargo run --release --locked -p zk-sim -- replay {{seed}}

# Ten minutes of three real servers under load with twenty kills; their traces judged.
trace:
    cargo build --locked --bins
    cargo test -p zk-server --locked --test trace -- --ignored --nocapture

# The conformance suite against a server.
conform target profile="3.9.5":
    cargo run --release --locked -p zk-conformance -- run --servers {{target}} --profile {{profile}}

# Every mutant against every case; writes conformance/mutants.md.
mutants:
    cargo test --locked -p zk-conformance --test mutants -- --ignored

# Benches.
bench:
    cargo bench -p zk-bench
