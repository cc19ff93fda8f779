//! The messages of the record formats, as prost generates them. Nothing outside this crate sees them.
#![allow(
    clippy::pedantic,
    clippy::enum_variant_names,
    dead_code,
    unreachable_pub,
    reason = "generated code"
)]

pub(crate) mod record {
    include!(concat!(env!("OUT_DIR"), "/counterfoil.record.v1.rs"));
}

pub(crate) mod population {
    include!(concat!(env!("OUT_DIR"), "/counterfoil.population.v1.rs"));
}
