//! What the auditor says of a small consortium: three banks, three rounds, and every lie we know.
#![expect(clippy::expect_used, reason = "a test that cannot go on says where")]

mod any;
mod cli;
mod cosigned;
mod fetch;
mod honest;
mod large;
mod lies;
mod lineage;
mod metrics;
mod mutations;
mod pack;
mod population;
mod prove;
mod receipts;
mod reconcile;
mod report;
mod totals;
mod world;
