//! Compiles the record formats; protox parses them, so no `protoc` is needed.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo runs this in the package's directory. A path fixed at compile time would point into
    // another checkout if two share a target directory.
    let root = Path::new("../../proto");
    let files = ["counterfoil/v1/record.proto", "counterfoil/v1/population.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    let descriptors = protox::compile(files, [root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
