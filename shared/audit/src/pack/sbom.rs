//! What this program is built from, as CycloneDX 1.5.
//!
//! From the lock file and the manifests of the source tree it was built in, which the program carries: every package that the program or
//! a build script of it needs on some platform and with some feature, so more than one build uses, and none less. Which compiler built
//! it, and for which platform, is not in there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use crate::dossier::Tool;

const LOCK: &str = include_str!("../../../../Cargo.lock");

const SCOPE: &str =
    "from the lock file: all that a build may use on any platform with any feature, tests left out";

/// Our own packages and their manifests. The lock file names also what only their tests need.
const MANIFESTS: [(&str, &str); 4] = [
    ("audit", include_str!("../../Cargo.toml")),
    ("ledger", include_str!("../../../ledger/Cargo.toml")),
    ("privacy", include_str!("../../../privacy/Cargo.toml")),
    ("round", include_str!("../../../round/Cargo.toml")),
];

/// The bill of materials of this program.
pub(super) fn bill(tool: &Tool) -> Value {
    let packages = packages();
    let wanted = closure(&packages);
    let components: Vec<Value> = wanted
        .iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| package.name != "audit")
        .map(Package::component)
        .collect();
    let edges: Vec<Value> = wanted
        .iter()
        .filter_map(|id| packages.get(id))
        .map(|package| {
            let on: Vec<_> =
                package.needs(&packages).into_iter().map(|of| reference(&of)).collect();
            json!({ "ref": reference(&package.id()), "dependsOn": on })
        })
        .collect();
    let hashes = tool.sha256.iter().map(|hex| json!({ "alg": "SHA-256", "content": hex }));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "name": tool.name,
            "version": tool.version,
            "bom-ref": packages.values().find(|of| of.name == "audit").map(|of| reference(&of.id())),
            "hashes": hashes.collect::<Vec<_>>(),
            "properties": [{ "name": "counterfoil:scope", "value": SCOPE }],
        } },
        "components": components,
        "dependencies": edges,
    })
}

/// A package of the lock file.
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
    dependencies: Vec<String>,
}

/// Name and version.
type Id = (String, String);

impl Package {
    fn of(table: &Table) -> Option<Self> {
        let text = |key: &str| table.get(key).and_then(Toml::as_str).map(str::to_owned);
        let listed = table.get("dependencies").and_then(Toml::as_array);
        let dependencies = listed.into_iter().flatten().filter_map(Toml::as_str);
        Some(Self {
            name: text("name")?,
            version: text("version")?,
            checksum: text("checksum"),
            dependencies: dependencies.map(str::to_owned).collect(),
        })
    }

    fn id(&self) -> Id {
        (self.name.clone(), self.version.clone())
    }

    /// What it needs to be built and to run. For packages that are not ours the lock file lists no more than that.
    fn needs(&self, packages: &BTreeMap<Id, Self>) -> Vec<Id> {
        let own = MANIFESTS.iter().find(|(name, _)| *name == self.name && self.checksum.is_none());
        let own = own.map(|(_, manifest)| needed(manifest));
        self.dependencies
            .iter()
            .filter_map(|line| {
                let mut words = line.split(' ');
                let (name, version) = (words.next()?, words.next());
                if own.as_ref().is_some_and(|own| !own.contains(name)) {
                    return None;
                }
                // A version is named only where there are several.
                let fits = |of: &&Self| of.name == name && version.is_none_or(|v| of.version == v);
                packages.values().find(fits).map(Self::id)
            })
            .collect()
    }

    fn component(&self) -> Value {
        let hashes = self.checksum.iter().map(|hex| json!({ "alg": "SHA-256", "content": hex }));
        json!({
            "type": "library",
            "name": self.name,
            "version": self.version,
            "bom-ref": reference(&self.id()),
            "purl": reference(&self.id()),
            "hashes": hashes.collect::<Vec<_>>(),
        })
    }
}

fn packages() -> BTreeMap<Id, Package> {
    let lock: Table = LOCK.parse().unwrap_or_default();
    let listed = lock.get("package").and_then(Toml::as_array);
    let tables = listed.into_iter().flatten().filter_map(Toml::as_table);
    tables.filter_map(Package::of).map(|package| (package.id(), package)).collect()
}

/// The packages that a manifest names for building and running, not for tests.
fn needed(manifest: &str) -> BTreeSet<String> {
    let manifest: Table = manifest.parse().unwrap_or_default();
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|section| section.keys().cloned())
        .collect()
}

fn closure(packages: &BTreeMap<Id, Package>) -> BTreeSet<Id> {
    let mut wanted = BTreeSet::new();
    let mut open: Vec<Id> = packages.keys().filter(|(name, _)| name == "audit").cloned().collect();
    while let Some(id) = open.pop() {
        if let Some(package) = packages.get(&id)
            && wanted.insert(id)
        {
            open.extend(package.needs(packages));
        }
    }
    wanted
}

fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}
