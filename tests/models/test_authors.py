"""Files as the authors' code writes them become a version that answers as their network did; anything else is named.

`golden/authors-names.txt` lists part, name and shape of every tensor that their code writes at its own sizes.
"""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.authors import CODEC, FILES, AuthorsFilesError, find_parts, import_version
from models.checkpoint import UntrainedError, load, load_codec, read_version
from models.dsr import DSR, DSRConfig
from models.preprocessing import Preprocessing
from tests.authors_files import AUTHORS_FORM, file_of, their_tensors, write_authors_files

NAMES = Path(__file__).parent / "golden" / "authors-names.txt"
PARTS = tuple(FILES)


@pytest.fixture
def dsr() -> DSR:
    torch.manual_seed(0)
    return DSR(AUTHORS_FORM).eval()


@pytest.fixture
def folder(dsr: DSR, tmp_path: Path) -> Path:
    write_authors_files(dsr, tmp_path)
    return tmp_path


def change(path: Path, **tensors: Tensor | None) -> None:
    """Replaces, adds or (None) takes out tensors."""
    content = {**torch.load(path, weights_only=True), **tensors}
    torch.save({name: values for name, values in content.items() if values is not None}, path)


def test_every_tensor_of_their_code_has_its_place() -> None:
    with torch.device("meta"):
        paper = DSR(DSRConfig.paper())
    ours = {(part, name): tuple(values.shape) for part in (CODEC, *PARTS) for name, values in their_tensors(paper, part).items()}

    theirs = {(part, name): tuple(int(size) for size in sizes.split("x")) for part, name, sizes in map(str.split, NAMES.read_text().splitlines())}

    assert ours == theirs


@torch.inference_mode()
def test_an_imported_detector_answers_as_it_did(folder: Path, dsr: DSR) -> None:
    stages = import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")

    pictures = torch.rand(2, 3, 64, 64)
    assert stages == ("codec", "detection", "upsampling")
    assert torch.equal(load(folder / "out")(pictures), dsr(pictures))
    assert torch.equal(load_codec(folder / "out")(pictures), dsr.codec(pictures))


def test_a_version_says_how_the_authors_fed_and_scored_it(folder: Path) -> None:
    import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")

    version = read_version(folder / "out")

    assert (version.config, version.preprocessing, version.filter_side) == (AUTHORS_FORM, Preprocessing(256), 21)


def test_a_codec_alone_becomes_a_codec_version(folder: Path) -> None:
    stages = import_version(folder / file_of(CODEC), {}, folder / "out", name="natural")

    assert stages == ("codec",)
    load_codec(folder / "out")
    with pytest.raises(UntrainedError, match="'detection'"):
        load(folder / "out", full_maps=False)


def test_without_their_upsampling_module_only_coarse_maps_are_served(folder: Path) -> None:
    (folder / file_of("upsampling")).unlink()

    stages = import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")

    assert stages == ("codec", "detection")
    load(folder / "out", full_maps=False)
    with pytest.raises(UntrainedError, match="'upsampling'"):
        load(folder / "out")


def test_the_same_files_make_the_same_version(folder: Path) -> None:
    (folder / file_of("upsampling")).unlink()

    for out in ("one", "two"):
        import_version(folder / file_of(CODEC), find_parts(folder), folder / out, name="screw")

    assert (folder / "one" / "weights.safetensors").read_bytes() == (folder / "two" / "weights.safetensors").read_bytes()


def test_a_detector_lacks_no_other_part(folder: Path) -> None:
    (folder / file_of("restriction_hi")).unlink()

    with pytest.raises(AuthorsFilesError, match=r"got none for \['restriction_hi'\]"):
        import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")


def test_all_that_does_not_fit_is_listed_at_once(folder: Path) -> None:
    codec, detection = folder / file_of(CODEC), folder / file_of("detection")
    change(codec, **{"upsample_t.bias": None, "_vq_vae_top._ema_w": None, "_pre_vq_conv_top.bias": torch.zeros(3)})
    change(detection, **{"unet.encoder.block9.0.bias": torch.zeros(1), "unet.decoder.fin_out.0.bias": torch.full((2,), float("nan"))})

    with pytest.raises(AuthorsFilesError) as refusal:
        import_version(codec, find_parts(folder), folder / "out", name="screw")

    assert str(refusal.value) == (
        f"{codec}: missing _vq_vae_top._ema_w, upsample_t.bias; wrong shape _pre_vq_conv_top.bias (3,) for (8,). "
        f"{detection}: extra unet.encoder.block9.0.bias; not finite unet.decoder.fin_out.0.bias"
    )
    assert not (folder / "out").exists()


def test_a_quantizer_that_their_own_script_passes_over_is_left_behind(folder: Path) -> None:
    change(folder / file_of("object_decoder"), **{"vq._embedding.weight": torch.zeros(512, 64)})
    import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")

    change(folder / file_of("detection"), **{"vq._embedding.weight": torch.zeros(512, 64)})
    with pytest.raises(AuthorsFilesError, match=r"extra vq\._embedding\.weight"):
        import_version(folder / file_of(CODEC), find_parts(folder), folder / "out", name="screw")


def test_a_pickle_that_wants_to_run_something_is_refused(folder: Path) -> None:
    class Eager:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(folder / "ran"),)

    for write in (lambda file: torch.save({"upsample_t.bias": Eager()}, file), lambda file: pickle.dump(Eager(), file, protocol=2)):
        with (folder / "evil.pckl").open("wb") as file:
            write(file)
        with pytest.raises(AuthorsFilesError, match=r"evil\.pckl: expected a state dict"):
            import_version(folder / "evil.pckl", {}, folder / "out", name="evil")

    assert not (folder / "ran").exists()


@pytest.mark.parametrize("content", [{"state_dict": {"a": torch.zeros(1)}}, [torch.zeros(1)], torch.zeros(1)])
def test_something_else_than_a_state_dict_is_named(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pckl")

    with pytest.raises(AuthorsFilesError, match=r"other\.pckl: expected a state dict"):
        import_version(tmp_path / "other.pckl", {}, tmp_path / "out", name="other")


def test_a_truncated_file_is_named(folder: Path) -> None:
    path = folder / file_of(CODEC)
    path.write_bytes(path.read_bytes()[:-500])

    with pytest.raises(AuthorsFilesError, match="vq_model_pretrained"):
        import_version(path, {}, folder / "out", name="short")


def test_a_folder_of_several_objects_needs_a_name(folder: Path) -> None:
    for part in PARTS:
        (folder / file_of(part, "metal_nut")).write_bytes(b"")

    with pytest.raises(AuthorsFilesError, match="name the object"):
        find_parts(folder)
    assert find_parts(folder, "metal_nut") == {part: folder / file_of(part, "metal_nut") for part in PARTS}


def test_the_upsampling_module_is_found_as_their_training_writes_it(folder: Path) -> None:
    written = folder / "dsr_0.0002_100_bs8_anom_par0.2__upsample.pckl"
    (folder / file_of("upsampling")).rename(written)

    assert find_parts(folder, "screw")["upsampling"] == written
