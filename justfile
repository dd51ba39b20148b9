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

# Changes the core's decisions mechanically, one at a time (`.cargo/mutants.toml`), and asks the core's tests: an hour
# or so. What these let live is asked of the checker: its counterexamples, its small searches. What still lives is in
# mutants.out/missed.txt. Random schedules are left out: what they find depends on the seed. First
# `cargo install --locked cargo-mutants`.
mutation *args:
    -nice -n 5 cargo mutants -p zab --test-package zab {{args}} -- --tests -- --skip any_schedule
    -nice -n 5 cargo mutants -p zab --iterate --test-package zab-checker --baseline skip --timeout 300 {{args}} -- \
        --test mutants --test checks --test liveness -- every_mutant_has g0_a_wiped g0_all_servers_down servers_that_start

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
