//! The messages of `counterfoil.v1` and the server's half of the service.
//!
//! The generated client stays private to this crate: see [`crate::Connection`].

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::wildcard_enum_match_arm,
    reason = "generated code; the messages carry the comments of the .proto file"
)]
pub(crate) mod generated {
    tonic::include_proto!("counterfoil.v1");
}

pub use generated::{
    ApproveRequest, BlobChunk, ContributeRequest, ContributionHeader, CosignRequest,
    CosignResponse, DecideRequest, FetchBlobRequest, FollowRequest, JoinRequest, JoinResponse,
    LogUpdate, Receipt, RenewRequest, RenewResponse, ReportContradictionRequest, RotateRequest,
    RotateResponse, contribute_request,
    coordinator_server::{Coordinator, CoordinatorServer},
};

/// The encoded `FileDescriptorSet` of the service, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/coordinator_descriptors.bin"));

/// The path of `Join`, the only method that answers a caller without a certificate.
pub const JOIN_PATH: &str = "/counterfoil.v1.Coordinator/Join";
