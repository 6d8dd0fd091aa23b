"""Resolves Kafka's jars with Maven and writes their coordinates and SHA-256 to `kafka-jars.lock`.

Run by hand when Kafka's version changes: `python -m infra.embedded.lock_jars` (needs `mvn`). Everybody else only fetches
what the lock names: resolving again could pick other versions.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

from infra.embedded.jars import LOCK_PATH, Jar

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.2")
"""Without an SLF4J 1.7 binding the broker logs nothing."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        jars = _resolve(Path(folder))
    LOCK_PATH.write_text("".join(f"{jar.coordinate} {jar.sha256}\n" for jar in sorted(jars, key=lambda jar: jar.coordinate)))


def _resolve(folder: Path) -> list[Jar]:
    (folder / "pom.xml").write_text(_project())
    maven = ["mvn", "-q", "-B", "dependency:list", "-DincludeScope=runtime", "-DoutputAbsoluteArtifactFilename=true", "-DoutputFile=jars.txt"]
    subprocess.run(maven, cwd=folder, check=True)
    lines = (line.split() for line in (folder / "jars.txt").read_text().splitlines() if ":jar:" in line)
    return [_jar(*parts[0].split(":", 5)) for parts in lines]


def _jar(group: str, artifact: str, _kind: str, version: str, _scope: str, path: str) -> Jar:
    return Jar(group, artifact, version, hashlib.sha256(Path(path).read_bytes()).hexdigest())


def _project() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        for group, artifact, version in (root.split(":") for root in ROOTS)
    )
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>loupe</groupId><artifactId>kafka</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )


if __name__ == "__main__":
    main()
