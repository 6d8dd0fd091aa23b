"""Settings: the environment over the running stack's addresses over loupe.toml over defaults, validated as one object.

`LOUPE_REDIS__URL=...` sets `[redis] url`. The embedded stack writes the addresses it picked to `<home>/endpoints.json`,
so that every other command finds them; an address given by the user replaces the embedded part.
"""

import os
import re
import tomllib
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from services.contract.names import ID_PATTERN, Names

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SettingsError(ValueError):
    """A setting that is not what was expected; the message names the key, the value and the expectation."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    bootstrap_servers: str | None = Field(default=None, description="host:port[,host:port]; none: the embedded broker")
    client: dict[str, Any] = Field(default_factory=dict, description="passed to every kafka-python client (security_protocol, sasl_*, ssl_*)")
    producer: dict[str, Any] = Field(default_factory=dict, description="passed to KafkaProducer, over our choice")
    consumer: dict[str, Any] = Field(default_factory=dict, description="passed to KafkaConsumer, over our choice")
    partitions: int = Field(default=4, ge=1, le=512, description="of each topic that Loupe creates; at least twice the frame consumers")
    replication_factor: int = Field(default=1, ge=1, le=7, description="of each topic that Loupe creates; as many brokers are needed")
    frames_retention_minutes: int = Field(default=240, ge=1, description="frames that nobody inspected by then are lost and counted as expired")
    frames_retention_mb: int = Field(default=2048, ge=16, description="per partition")
    inspections_retention_hours: int = Field(default=168, ge=1, description="how far back `loupe rebuild` can read")
    max_message_mb: int = Field(default=16, ge=1, le=128, description="topic's max.message.bytes and the producers' request size")
    session_timeout_ms: int = Field(default=10_000, ge=6_000, description="how long a consumer may be silent before its partitions move")


class RedisSettings(_Section):
    url: SecretStr | None = Field(default=None, description="redis[s]://[user:password@]host:port/db; none: the embedded server")
    client: dict[str, Any] = Field(default_factory=dict, description="passed to redis.Redis")
    live_length: int = Field(default=500, ge=50, le=20_000, description="inspections kept per line in the live view")
    mask_ttl_s: int = Field(default=900, ge=10, description="anomaly maps of the latest frames are kept in Redis this long")
    watched_ttl_s: int = Field(default=10, ge=2, description="previews are written this long after somebody last looked")


class RaySettings(_Section):
    address: str | None = Field(default=None, description="host:port of a running Ray cluster; none: the embedded one")
    dashboard_url: str | None = Field(default=None, description="http://host:8265 of that cluster, for declarative deployment")
    num_cpus: float = Field(default=8, gt=0, description="logical CPUs of the embedded node: what the scheduler hands out, not what the machine has")
    num_gpus: int | None = Field(default=None, ge=0, description="GPUs of the embedded node; none: what Ray finds")
    object_store_mb: int = Field(default=400, ge=100, description="shared memory of the embedded node")


class RecordsSettings(_Section):
    url: str | None = Field(default=None, description="SQLAlchemy address; none: SQLite in <home>/records.sqlite")


class ArchiveSettings(_Section):
    url: str | None = Field(default=None, description="fsspec address; none: the folder <home>/archive")
    max_gb: float = Field(default=10, gt=0, description="above it the oldest pictures go")
    max_age_days: float = Field(default=90, gt=0, description="older pictures go")


class HistorySettings(_Section):
    """All inspections, without their pictures, in Parquet by line and day (UTC)."""

    path: Path | None = Field(default=None, description="a folder that recorder and dashboard share; none: <home>/history")
    write_every_s: float = Field(default=20, ge=0, le=600, description="inspections wait this long for a file of their own; History is this much behind")
    write_rows: int = Field(default=5000, ge=1, le=100_000, description="or until there are so many")
    max_age_days: int = Field(default=365, ge=1, description="older days go")
    max_gb: float = Field(default=20, gt=0, description="above it the oldest days go, but for the last two")
    min_free_mb: float = Field(default=500, ge=0, description="with less left on its disk the history pauses, and catches up later from Kafka")
    query_s: float = Field(default=20, gt=0, le=600, description="a search that takes longer is given up")
    query_memory_mb: int = Field(default=256, ge=64, description="that one search may take")


class InspectionSettings(_Section):
    """The pull side: how frames become micro-batches."""

    detector: Literal["dsr", "null", "decode"] = Field(default="dsr", description="null and decode are for benchmarks: no network")
    batch_frames: int = Field(default=32, ge=1, le=256, description="frames of one partition in a micro-batch, at most")
    batch_wait_ms: int = Field(default=20, ge=0, le=1000, description="how long a micro-batch waits to fill")
    in_flight: int = Field(default=4, ge=1, le=64, description="micro-batches per frame consumer on their way at once")
    max_frame_mb: float = Field(default=12, gt=0, description="larger frames are dead-lettered undecoded")
    max_megapixels: float = Field(default=64, gt=0, description="larger pictures are dead-lettered undecoded")
    blind_check_rate: float = Field(default=0.01, ge=0, le=1, description="share of passed frames archived for blind checks")
    two_step: bool = Field(default=True, description="run the upsampling module only for frames at or above the review threshold")


class FrameConsumerSettings(_Section):
    replicas: int = Field(default=1, ge=1, le=64, description="members of the consumer group; more than partitions idle")
    num_cpus: float = Field(default=0.5, gt=0, description="logical CPUs that Ray sets aside for one")


class InspectorSettings(_Section):
    """A replica's resources and the limits between which the number of replicas moves."""

    min_replicas: int = Field(default=1, ge=0, le=1024, description="replicas that stay while nothing streams; `loupe scale` changes it while it runs")
    max_replicas: int = Field(default=2, ge=1, le=1024, description="replicas that a backlog may bring up")
    num_cpus: float = Field(default=1, ge=0, description="logical CPUs that Ray sets aside for one replica")
    num_gpus: float = Field(default=0, ge=0, description="fractions share a GPU")
    threads: int = Field(default=2, ge=1, le=256, description="of torch in one replica")
    frames_per_s: float = Field(default=10, gt=0, description="what one replica manages, until it has been measured")
    drain_s: float = Field(default=10, gt=0, description="a backlog should be gone within this time")
    upscale_delay_s: float = Field(default=3, ge=0, description="how long more replicas must be needed before they start")
    downscale_delay_s: float = Field(default=30, ge=0, description="how long fewer must do before some go")
    to_zero_delay_s: float = Field(default=60, ge=0, description="how long nothing must stream before the last one goes, where min_replicas is 0")
    standby_s: float = Field(default=120, gt=0, le=3600, description="how long a promotion waits until every replica has loaded and tested the version")

    @model_validator(mode="after")
    def _ordered(self) -> "InspectorSettings":
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"expected min_replicas <= max_replicas, got {self.min_replicas} > {self.max_replicas}")
        return self


class _Server(_Section):
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(ge=1, le=65535)
    public_hosts: tuple[str, ...] = Field(default=(), description="names under which browsers and cameras may reach it, beside loopback")
    beyond_loopback: bool = Field(default=False, description="allow a host that is not loopback: one line that says so, beside the host")

    @model_validator(mode="after")
    def _loopback(self) -> "_Server":
        if self.host not in LOOPBACK and not self.beyond_loopback:
            raise ValueError(f"expected a loopback host, got {self.host!r}: set beyond_loopback = true too, and let a proxy speak TLS: passwords travel here")
        return self


class MLflowSettings(_Section):
    uri: str | None = Field(default=None, description="MLflow's tracking server, where trainings report to; none: a file beside the records")
    artifacts: str | None = Field(default=None, description="where a new experiment keeps its files; none: a folder beside it")


class DashboardSettings(_Server):
    port: int = Field(default=8400, ge=1, le=65535, description="of pages and REST; `loupe up` takes another where it is taken")
    tls: bool = Field(default=False, description="browsers reach it over TLS (a proxy in front): cookies are sent over nothing else")
    trusted_proxies: tuple[str, ...] = Field(default=(), description="addresses whose X-Forwarded-For says who calls; none: whoever connects")
    session_idle_minutes: float = Field(default=720, gt=0, description="a login ends when nobody did anything for so long; an operator's open page counts")
    session_hours: float = Field(default=168, gt=0, description="a login ends after so long in any case")
    token: SecretStr | None = Field(default=None, description="what `loupe` shows the dashboard; none: the token that `loupe up` left in <home>/token")


class IngestSettings(_Server):
    port: int = Field(default=8401, ge=1, le=65535, description="on which cameras push frames; `loupe up` takes another where it is taken")
    max_unacknowledged_mb: float = Field(default=64, gt=0, description="frames on their way to the broker; more waits, is dropped, or answered 429")


class ReviewSettings(_Section):
    """How people review what was flagged."""

    claim_minutes: float = Field(default=10, gt=0, le=1440, description="a picture that somebody opened is theirs this long after their page was last heard of")
    second_share: float = Field(default=0.05, ge=0, le=1, description="share of answered pictures that a second reviewer answers blind, to measure agreement")
    blind_turns: float = Field(default=0.1, ge=0, le=1, description="share of turns at which the next picture is a blind one, where there are any")
    mask_max_mb: float = Field(default=8, gt=0, le=64, description="larger masks are refused unread")


class DatasetSettings(_Section):
    """How a new group of pictures is given to one of the three splits; one that has been given stays."""

    calibration_share: float = Field(default=0.15, ge=0, lt=1, description="of groups: thresholds are computed from them")
    held_out_share: float = Field(default=0.15, ge=0, lt=1, description="of groups: models are measured on them; the rest teaches")
    most_unreviewed: int = Field(default=500, ge=0, description="passed frames, drawn for a blind check but not answered, that may teach as good; 0: none")

    @model_validator(mode="after")
    def _leaves_some(self) -> "DatasetSettings":
        if self.calibration_share + self.held_out_share >= 1:
            raise ValueError(f"expected shares below 1 together, got {self.calibration_share:g} and {self.held_out_share:g}")
        return self


class GateSettings(_Section):
    """What a candidate must keep of its champion on the held-out frames, and from how many of them on anything can be said."""

    good_groups: int = Field(default=20, ge=1, description="fewer groups of good frames are insufficient evidence")
    defective_groups: int = Field(default=10, ge=1, description="fewer groups of confirmed defects are insufficient evidence")
    fall: float = Field(default=0.02, ge=0, le=1, description="how far image AUROC, image AP and pixel AP may each fall")
    more_false_rejects: float = Field(default=0.02, ge=0, le=1, description="how much the share of flagged good frames may rise")
    golden: Literal["no worse", "every"] = Field(
        default="no worse", description="golden frames that a candidate must decide as people did: those that the champion does, or every one"
    )


class RetrainingSettings(_Section):
    """When a line's model is taught anew, by what, and on what."""

    after_verdicts: int = Field(default=50, ge=0, description="new verdicts on a line that start one; 0: none do")
    every_hours: float | None = Field(default=None, gt=0, description="starts one where there are new verdicts; none: no schedule")
    recipe: str = Field(default="taught", description="what the training does")
    first_recipe: str = Field(default="small", description="what the first training of a line without a model does, from the shipped codec")
    first_frames: int = Field(default=60, ge=24, description="good pictures that must be kept before a line's first training; a fifth of them calibrate")
    budget: float | None = Field(default=None, gt=0, le=1, description="share of the recipe's steps; none: all of them")
    workers: int = Field(default=1, ge=1, le=64, description="processes that share each batch")
    use_gpu: bool = Field(default=False, description="each worker has a GPU")
    review_rate: float = Field(default=0.01, gt=0, lt=1, description="share of good parts that a candidate's calibration may show to a person")
    fail_rate: float = Field(default=0.001, gt=0, lt=1, description="share of good parts that it may reject")
    gate: GateSettings = GateSettings()


class SiteSettings(_Section):
    name: str = Field(default="Plant", description="shown on every page")
    time_zone: str = Field(default="UTC", description="IANA name; times on the pages are in it, everything stored is in UTC")
    shifts: tuple[str, ...] = Field(default=("06:00", "14:00", "22:00"), min_length=1, max_length=24, description="when each begins, by the clock there")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("expected an IANA time zone such as Europe/Berlin") from error
        return value

    @field_validator("shifts")
    @classmethod
    def _ascending(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", start) is None for start in value) or sorted(set(value)) != list(value):
            raise ValueError(f"expected times of day such as 06:00, each later than the one before, got {list(value)}")
        return value


class CameraSeed(_Section):
    id: str = Field(pattern=ID_PATTERN, description="a-z, 0-9 and '-', at most 40")
    source: str = Field(description="folder:PATH, video:PATH, synthetic:KIND or push:, with ?key=value options")


class LineSeed(_Section):
    id: str = Field(pattern=ID_PATTERN, description="a-z, 0-9 and '-', at most 40")
    name: str | None = Field(default=None, description="what people call it")
    product: str | None = Field(default=None, description="what it makes just now")
    model: str | None = Field(default=None, description="name or id of a model version; none: frames are recorded")
    calibration: Path | None = Field(default=None, description="JSON written by `loupe calibrate`; none: the one that the model's card suggests for this line")
    when_full: Literal["wait", "drop"] = Field(default="wait", description="what a source does while Kafka is slow")
    push_token: SecretStr | None = Field(default=None, description="lets cameras push frames over HTTP")
    cameras: tuple[CameraSeed, ...] = ()


class Settings(BaseSettings):
    """Everything that differs from place to place."""

    model_config = SettingsConfigDict(env_prefix="LOUPE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default=Path(".loupe"), description="data, logs and state of this installation")
    names_prefix: str = Field(default="", pattern=r"^([a-z0-9-]{1,40})?$", description="of topics, groups and keys; benchmarks use one")
    site: SiteSettings = SiteSettings()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    ray: RaySettings = RaySettings()
    records: RecordsSettings = RecordsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    history: HistorySettings = HistorySettings()
    inspection: InspectionSettings = InspectionSettings()
    consumer: FrameConsumerSettings = FrameConsumerSettings()
    inspector: InspectorSettings = InspectorSettings()
    dashboard: DashboardSettings = DashboardSettings()
    ingest: IngestSettings = IngestSettings()
    review: ReviewSettings = ReviewSettings()
    dataset: DatasetSettings = DatasetSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    mlflow: MLflowSettings = MLflowSettings()
    lines: tuple[LineSeed, ...] = ()

    @property
    def names(self) -> Names:
        return Names(self.names_prefix)

    @property
    def records_url(self) -> str:
        return self.records.url or f"sqlite:///{self.home.absolute() / 'records.sqlite'}"

    @property
    def archive_url(self) -> str:
        return self.archive.url or f"file://{self.home.absolute() / 'archive'}"

    @property
    def mlflow_uri(self) -> str:
        return self.mlflow.uri or f"sqlite:///{self.home.absolute() / 'mlflow.sqlite'}"

    @property
    def mlflow_artifacts(self) -> str | None:
        """A server keeps its own."""
        return self.mlflow.artifacts or (None if self.mlflow.uri else f"file://{self.home.absolute() / 'mlflow'}")

    @property
    def history_path(self) -> Path:
        return (self.history.path or self.home / "history").absolute()

    @property
    def models_path(self) -> Path:
        """Where model versions live: one folder each, named by its SHA-256."""
        return self.home.absolute() / "models"

    @property
    def datasets_path(self) -> Path:
        """Where dataset versions live, which group is in which split, and what was imported."""
        return self.home.absolute() / "datasets"

    @property
    def retraining_path(self) -> Path:
        """Where retrainings work: a folder each, which every worker of Ray reaches."""
        return self.home.absolute() / "retraining"

    @property
    def endpoints_path(self) -> Path:
        return self.home.absolute() / "endpoints.json"

    @property
    def token_path(self) -> Path:
        """What `loupe` on this machine shows a dashboard that `loupe up` started."""
        return self.home.absolute() / "token"

    @property
    def kafka_servers(self) -> str:
        return self._address(self.kafka.bootstrap_servers, "kafka.bootstrap_servers")

    @property
    def redis_url(self) -> str:
        url = self.redis.url
        return self._address(url.get_secret_value() if url else None, "redis.url")

    @property
    def ray_address(self) -> str:
        return self._address(self.ray.address, "ray.address")

    def _address(self, value: str | None, key: str) -> str:
        if value is None:
            raise SettingsError(f"{key}: not set, and no stack runs in {self.home}: start one with `loupe up`, or set an address")
        return value


def load(**overrides: Any) -> Settings:
    """Reads the environment, `<home>/endpoints.json` and `LOUPE_CONFIG` (default ./loupe.toml). Raises SettingsError."""
    path = Path(os.environ.get("LOUPE_CONFIG", "loupe.toml"))
    if "LOUPE_CONFIG" in os.environ and not path.is_file():
        raise SettingsError(f"LOUPE_CONFIG: expected a settings file, got {str(path)!r}")
    home = Path(overrides.get("home") or os.environ.get("LOUPE_HOME") or _home_in(path))
    try:
        read = _reader(path, home / "endpoints.json")(**{"home": home, **overrides})
    except ValidationError as error:
        raise SettingsError("\n".join(map(partial(_explain, path=path), error.errors()))) from error
    return Settings.model_construct(**{name: getattr(read, name) for name in Settings.model_fields})  # a reader could not travel to other processes


def _home_in(path: Path) -> Path:
    try:
        return Path(tomllib.loads(path.read_text()).get("home", ".loupe")) if path.is_file() else Path(".loupe")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: expected TOML, {error}") from error


def _reader(toml: Path, endpoints: Path) -> type[Settings]:
    class Reader(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            running = JsonConfigSettingsSource(settings_cls, json_file=endpoints)
            return init_settings, env_settings, running, TomlConfigSettingsSource(settings_cls, toml_file=toml)

    return Reader


def _explain(error: Any, path: Path) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "settings"
    expectation = error.get("ctx", {}).get("error") or error["msg"]
    return f"{key}: got {error['input']!r}: {expectation} (in the environment or {path})"
