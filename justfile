# Short names for what is done often; no logic here.

# Everything that must hold of a change.
check:
    .ci/run

# The tests alone.
test:
    cargo test --workspace

# Write .sqlx anew from a database that has every migration: DATABASE_URL=… just prepare
prepare:
    rm -rf .sqlx && mkdir .sqlx && touch jobs/queue/src/lib.rs jobs/families/src/lib.rs control-api/src/lib.rs ops/fleet/src/lib.rs
    SQLX_OFFLINE_DIR="$PWD/.sqlx" cargo check --workspace

# The whole fleet on this machine.
up:
    cargo run --release -- up
