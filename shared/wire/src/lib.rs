//! The wire: generated gRPC code, identity from certificates, TLS acceptor and connector.
