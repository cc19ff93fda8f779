//! Every limit of the wire, in one place.
//!
//! Sizes are in bytes. The memory that one connection can claim before anything of it is accepted
//! is at most [`STREAMS_MAX`] × [`MESSAGE_BYTES_MAX`] + [`CONNECTION_WINDOW_BYTES`].

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One gRPC message, either way.
pub const MESSAGE_BYTES_MAX: usize = 4 * MIB;
/// The data of one message of a blob or a contribution.
pub const CHUNK_BYTES_MAX: usize = 256 * KIB;
/// The data of one such message unless it is the last: below this, the cost per message wins.
pub const CHUNK_BYTES_MIN: usize = 4 * KIB;
/// A blob or a contribution: 256 Mi coordinates of 4 bytes.
pub const BLOB_BYTES_MAX: u64 = 1024 * MIB as u64;
/// The body of a contribution's header.
pub const HEADER_BYTES_MAX: usize = 64 * KIB;
/// A leaf of the log.
pub const LEAF_BYTES_MAX: usize = 64 * KIB;
/// Leaves in one `LogUpdate`.
pub const LEAVES_PER_UPDATE_MAX: usize = 4096;
/// All leaves of one `LogUpdate` together.
pub const UPDATE_BYTES_MAX: usize = MIB;
/// A signed checkpoint.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * KIB;
/// Cosigned checkpoints in one update.
pub const COSIGNED_PER_UPDATE_MAX: usize = 16;
/// A certificate signing request.
pub const REQUEST_BYTES_MAX: usize = 4 * KIB;

/// All headers of one call together.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Calls at once on one connection.
pub const STREAMS_MAX: u32 = 16;
/// Streams that a peer may open and reset before the server has looked at them (CVE-2023-44487).
pub const PENDING_RESETS_MAX: usize = 20;
/// HTTP/2 flow-control window of a stream.
pub const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// HTTP/2 flow-control window of a connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// HTTP/2 frame.
pub const FRAME_BYTES_MAX: u32 = 256 * 1024;
/// Idle time after which a peer is pinged.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// Time in which a ping must be answered.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// TCP connection, TLS handshake and the server's first frame together, at the client.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// TLS handshake at the server.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes at once at the server.
pub const HANDSHAKES_MAX: usize = 256;
/// Handshakes at once from one address, so that one silent host cannot take every place.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 32;
/// Connections at once at the server.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections at once of one institution in one role.
pub const CONNECTIONS_PER_IDENTITY_MAX: usize = 8;
/// Connections at once without a certificate: joins and health checks.
pub const UNCERTIFIED_MAX: usize = 64;
/// How long a connection without a certificate may live.
pub const UNCERTIFIED_LIFE: Duration = Duration::from_secs(30);

/// Time in which the next piece of a transfer must come.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(30);

/// One command to a daemon, or its answer.
pub const CONTROL_BYTES_MAX: u64 = MIB as u64;
/// Time in which a daemon answers a command.
pub const CONTROL_TIMEOUT: Duration = Duration::from_mins(1);
/// Time that answers under way have when a daemon ends.
pub const CONTROL_DRAIN: Duration = Duration::from_secs(1);
