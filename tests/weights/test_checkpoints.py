"""Checkpoints: weights at any depth, beside optimizers, settings and copies, in every type of numbers."""

import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import foreign
from support.foreign import TINY, Built, Call, Global, Storage, error_message, random_parameters, tensor, torch_state

from jaxstyle.networks import parameter_shapes
from jaxstyle.networks.architectures import ARCHITECTURES
from jaxstyle.weights.files import TORCHVISION
from jaxstyle.weights.foreign import read_foreign

Tensors = Mapping[str, np.ndarray]
PARAMETERS = random_parameters(TINY)
STATE = foreign.torch_names(PARAMETERS)
OTHER = foreign.torch_names(random_parameters(TINY, seed=1))


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["vgg16"], parameters=TINY))


def assert_read(path: Path, expected: Tensors = PARAMETERS) -> None:
    tensors = read_foreign(path, convention=TORCHVISION).tensors
    assert tensors.keys() == expected.keys()
    for name, array in expected.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], array)


def prefixed(prefix: str, tensors: Tensors = STATE) -> dict[str, np.ndarray]:
    return {prefix + name: array for name, array in tensors.items()}


def unknown(name: str, *arguments: object) -> Call:
    return Call(Global(*name.rsplit(".", 1)), *arguments)


ADAM = {"state": {0: {"exp_avg": tensor("features.0.weight", 0, (4, 3, 3, 3), (27, 9, 3, 1))}}, "param_groups": [{}]}
TENSOR = Global("torch", "Tensor")
CHECKPOINTS: dict[str, Callable[[dict], object]] = {
    "alone": lambda state: state,
    "ordered": OrderedDict,
    "with metadata": lambda state: Call(Global("collections", "OrderedDict"), list(state.items())),
    **{
        key: lambda state, key=key: {"epoch": 3, key: state, "optimizer": ADAM, "loss": 0.5}
        for key in ("state_dict", "model_state_dict", "model", "net", "module", "ema", "params", "0")
    },
    "deeper": lambda state: {"checkpoint": {"model": {"weights": state}}, "optimizer_states": [ADAM]},
    "list": lambda state: [3, state, "text"],
    "tuple": lambda state: (state, ADAM),
    "in order": lambda state: list(state.values()),
    "by number": lambda state: dict(enumerate(list(state.values()))),
    "twice": lambda state: {"model": state, "ema": state},
    "copied": lambda state: {"model": state, "ema": dict(state)},
    "parameters": lambda state: {
        name: Call(Global("torch._utils", "_rebuild_parameter"), value, True, OrderedDict())
        for name, value in state.items()
    },
    "subclass": lambda state: {
        name: Call(
            Global("torch._tensor", "_rebuild_from_type_v2"),
            value.function,
            Global("torch", "Tensor"),
            value.arguments,
            {},
        )
        for name, value in state.items()
    },
    "settings": lambda state: {
        "state_dict": state,
        "hyper_parameters": unknown("lightning.fabric.utilities.data.AttributeDict"),
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best": unknown("pathlib.PosixPath", "a", "b")}},
        "args": unknown("argparse.Namespace"),
        "scheduler": unknown("functools.partial", Global("torch.nn.functional", "relu")),
        "random": [unknown("torch.Size", (1, 2)), Global("torch", "float32"), unknown("torch.device", "cuda")],
    },
    "dictionary of another class": lambda state: {"model": unknown("collections.defaultdict", None), **state},
}


@pytest.mark.parametrize("write", [foreign.write_torch_zip, foreign.write_torch_legacy])
@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_weights_are_found_at_any_depth(checkpoint: str, write: Callable, tmp_path: Path) -> None:
    state, storages = torch_state(STATE)
    write(tmp_path / "w.pth", CHECKPOINTS[checkpoint](state), storages)
    assert_read(tmp_path / "w.pth")


PREFIXES = ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net.", "backbone.body.", "ema_model.")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_names_may_begin_with_anything(prefix: str, tmp_path: Path) -> None:
    foreign.write_torch_state(tmp_path / "w.pth", prefixed(prefix))
    foreign.write_safetensors(tmp_path / "w.safetensors", prefixed(prefix))
    np.savez(tmp_path / "w.npz", **prefixed(prefix))
    foreign.write_hdf5(tmp_path / "w.h5", prefixed(prefix.replace(".", "/")))
    for path in list(tmp_path.iterdir()):
        assert_read(path)
        assert read_foreign(path).convention == TORCHVISION


@pytest.mark.parametrize(
    "name", ["features.{}.weight", "{}.weight", "slice1.{}.weight", "vgg/conv_{}/kernel:0", "c{}_W"]
)
def test_names_of_layers(name: str, tmp_path: Path) -> None:
    bias = name.replace("weight", "bias").replace("kernel", "bias").replace("_W", "_b")
    bias = bias.replace("_0", "_1").replace("/0", "/1")
    tensors = {}
    for index, layer in enumerate(foreign.layers_of(PARAMETERS)):
        tensors |= {
            name.format(3 * index + 9): PARAMETERS[f"{layer}.kernel"],
            bias.format(3 * index + 9): PARAMETERS[f"{layer}.bias"],
        }
    np.savez(tmp_path / "w.npz", **tensors)
    assert_read(tmp_path / "w.npz")


def test_different_networks_are_refused_by_their_names(tmp_path: Path) -> None:
    (first, first_storages), (second, second_storages) = torch_state(STATE), torch_state(OTHER, "other.")
    content = {"model": first, "model_ema": {"module": second}, "optimizer": ADAM}
    foreign.write_torch_zip(tmp_path / "w.pth", content, first_storages | second_storages)
    foreign.write_safetensors(tmp_path / "w", prefixed("model.") | prefixed("model_ema.module.", OTHER))
    for path in (tmp_path / "w.pth", tmp_path / "w"):
        assert error_message(path) == (
            f"{path} has several networks that differ: model.features. (tiny), model_ema.module.features. (tiny); "
            "save the one to use in a file without the others"
        )


def test_copies_of_the_weights_in_optimizers_do_not_count(tmp_path: Path) -> None:
    for prefix in ("optimizer/", "optimizer_weights/Adam/m/", "opt_state/0/mu/", "train/my_optimizer_state/"):
        path = tmp_path / f"{prefix.replace('/', '-')}.npz"
        np.savez(path, **STATE, **prefixed(prefix, OTHER))
        assert_read(path)


def test_batch_normalization_elsewhere_does_not_matter(tmp_path: Path) -> None:
    statistics = {"state_dict.generator.bn.running_mean": np.ones(4, np.float32)}
    np.savez(tmp_path / "w.npz", **prefixed("state_dict.loss.vgg."), **statistics)
    assert_read(tmp_path / "w.npz")
    for name in ("state_dict.loss.vgg.bn1.running_mean", "state_dict.loss.vgg.features.1.running_var"):
        np.savez(tmp_path / "w.npz", **prefixed("state_dict.loss.vgg."), **{name: np.ones(4, np.float32)})
        assert "has batch normalization" in error_message(tmp_path / "w.npz")


class TestNarrowTypes:
    # Numbers that all types have, and how to write them: none of this uses the library that reads them.
    EXACT = np.array([0, 0.5, 1, 1.25, 1.5, 1.75, 2, 3, -0.25, -1, -1.5, -7, 0.015625], np.float32)

    @classmethod
    def parameters(cls) -> dict[str, np.ndarray]:
        generator = np.random.default_rng(4)
        return {name: generator.choice(cls.EXACT, shape) for name, shape in TINY.items()}

    @staticmethod
    def bfloat16(array: np.ndarray) -> np.ndarray:
        return (array.view(np.uint32) >> 16).astype("<u2")  # the upper half

    @staticmethod
    def float16(array: np.ndarray) -> np.ndarray:
        return array.astype("<f2").view("<u2")

    @staticmethod
    def float8_e5m2(array: np.ndarray) -> np.ndarray:
        return (array.astype(np.float16).view(np.uint16) >> 8).astype(np.uint8)  # the upper half

    @staticmethod
    def float8_e4m3(array: np.ndarray) -> np.ndarray:
        """By its definition: a sign, four bits of exponent, three of the fraction."""
        codes = np.arange(128)
        exponent, fraction = codes >> 3, (codes & 7) / 8
        values = np.where(exponent, (1 + fraction) * 2.0 ** (exponent - 7), fraction * 2.0**-6)
        return (np.searchsorted(values, np.abs(array)) + 128 * (array < 0)).astype(np.uint8)

    @pytest.mark.parametrize(
        ("encode", "kind", "torch_type"),
        [
            ("bfloat16", "BFloat16Storage", ""),
            ("float16", "HalfStorage", ""),
            ("float8_e5m2", "UntypedStorage", "float8_e5m2"),
            ("float8_e4m3", "UntypedStorage", "float8_e4m3fn"),
        ],
    )
    @pytest.mark.parametrize("write", [foreign.write_torch_zip, foreign.write_torch_legacy])
    def test_pytorch(self, encode: str, kind: str, torch_type: str, write: Callable, tmp_path: Path) -> None:
        parameters = self.parameters()
        encoded = {
            name: np.ascontiguousarray(getattr(self, encode)(np.ascontiguousarray(array)))
            for name, array in foreign.torch_names(parameters).items()
        }
        content = {}
        for name, array in encoded.items():
            strides = tuple(stride // array.itemsize for stride in array.strides)
            content[name] = tensor(name, 0, array.shape, strides, kind=kind)
            if torch_type:
                storage = Storage("UntypedStorage", name)
                storage.identifier = ("storage", Global("torch.storage", "UntypedStorage"), name, "cpu", array.nbytes)
                content[name] = Call(
                    Global("torch._utils", "_rebuild_tensor_v3"),
                    *(storage, 0, array.shape, strides, False, OrderedDict(), Global("torch", torch_type)),
                )
        storages = {name: array.tobytes() for name, array in encoded.items()}
        options = {"itemsize": next(iter(encoded.values())).itemsize} if write is foreign.write_torch_legacy else {}
        write(tmp_path / "w.pth", content, storages, **options)
        assert_read(tmp_path / "w.pth", parameters)

    @pytest.mark.parametrize(
        ("encode", "kind"),
        [("bfloat16", "BF16"), ("float16", "F16"), ("float8_e5m2", "F8_E5M2"), ("float8_e4m3", "F8_E4M3")],
    )
    def test_safetensors(self, encode: str, kind: str, tmp_path: Path) -> None:
        parameters = self.parameters()
        header, content = {}, b""
        for name, array in foreign.torch_names(parameters).items():
            numbers = getattr(self, encode)(np.ascontiguousarray(array)).tobytes()
            offsets = [len(content), len(content) + len(numbers)]
            header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
            content += numbers
        text = json.dumps(header).encode()
        (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)
        assert_read(tmp_path / "w.safetensors", parameters)

    def test_files_without_a_name_for_bfloat16(self, tmp_path: Path) -> None:
        """NumPy and h5py write it as pairs of bytes."""
        parameters = self.parameters()
        pairs = {name: self.bfloat16(array).view("V2") for name, array in parameters.items()}
        np.savez(tmp_path / "w.npz", **pairs)
        foreign.write_hdf5(tmp_path / "w.h5", pairs)
        for path in (tmp_path / "w.npz", tmp_path / "w.h5"):
            assert_read(path, parameters)
        np.savez(tmp_path / "w.npz", **{name: array.view("V2").astype("V1") for name, array in pairs.items()})
        assert "has numbers of an unknown type in conv1_1.kernel; save them as float32" in error_message(
            tmp_path / "w.npz"
        )

    def test_onnx(self, tmp_path: Path) -> None:
        parameters = self.parameters()
        foreign.write_onnx(tmp_path / "w.onnx", parameters)
        model = onnx.load(tmp_path / "w.onnx")
        for initializer in model.graph.initializer:
            array = onnx.numpy_helper.to_array(initializer)
            initializer.raw_data = self.bfloat16(array).tobytes()
            initializer.data_type = onnx.TensorProto.BFLOAT16
        onnx.save(model, tmp_path / "w.onnx")
        assert_read(tmp_path / "w.onnx", parameters)

    @pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 2), (4, 1, 1, 1)])
    @pytest.mark.parametrize("name", ["weight_scale", "weight_scale_inv", "scale_weight", "scale", "weight.scale"])
    def test_scaled_kernels_are_refused(self, name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
        np.savez(tmp_path / "w.npz", **STATE, **{f"features.0.{name}": np.ones(shape, np.float32)})
        assert f"scaled kernel (features.0.weight, features.0.{name})" in error_message(tmp_path / "w.npz")

    @pytest.mark.parametrize("kernel", ["F8_E4M3", "F4"])
    def test_scales_of_an_unknown_type_are_refused(self, kernel: str, tmp_path: Path) -> None:
        """Such as the powers of two of MXFP8: they must not be overlooked."""
        tensors = {"features.0.weight": (kernel, [4, 3, 3, 3]), "features.0.weight_scale": ("F8_E8M0", [4])}
        tensors["features.0.bias"] = ("F8_E4M3", [4])
        header, begin = {}, 0
        for name, (kind, shape) in tensors.items():
            end = begin + int(np.prod(shape)) // (2 if kind == "F4" else 1)
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
            begin = end
        text = json.dumps(header).encode()
        (tmp_path / "w").write_bytes(len(text).to_bytes(8, "little") + text + bytes(begin))
        expected = "an unknown type (F4) in features.0.weight" if kernel == "F4" else "has a scaled kernel"
        assert expected in error_message(tmp_path / "w")

    def test_quantized_tensors(self, tmp_path: Path) -> None:
        """One scale for a tensor, or one for each output: scale * (integers - zero)."""
        generator = np.random.default_rng(5)
        kernels = [generator.integers(0, 256, shape, np.uint8) for shape in ((4, 3, 3, 3), (5, 4, 3, 3))]
        scales, zeros = np.linspace(0.125, 0.75, 5), np.arange(5, dtype="<i8")
        state, storages = torch_state(STATE)
        channels = [
            tensor("scales", 0, (5,), (1,), kind="DoubleStorage"),
            tensor("zeros", 0, (5,), (1,), kind="LongStorage"),
        ]
        storages |= {"scales": scales.tobytes(), "zeros": zeros.tobytes()}
        storages |= {f"k{index}": kernel.tobytes() for index, kernel in enumerate(kernels)}
        for index, quantization in enumerate(
            [(Global("torch", "per_tensor_affine"), 0.25, 128), (Global("torch", "per_channel_affine"), *channels, 0)]
        ):
            shape = kernels[index].shape
            state[f"features.{2 * index}.weight"] = Call(
                Global("torch._utils", "_rebuild_qtensor"),
                *(Storage("QUInt8Storage", f"k{index}"), 0, shape, (9 * shape[1], 9, 3, 1), quantization, False, {}),
            )
        foreign.write_torch_zip(tmp_path / "w.pth", state, storages)
        expected = dict(PARAMETERS)
        expected["conv1_1.kernel"] = 0.25 * (kernels[0].transpose(2, 3, 1, 0).astype(np.float32) - 128)
        expected["conv1_2.kernel"] = (scales * (kernels[1].transpose(2, 3, 1, 0).astype(float) - zeros)).astype(
            np.float32
        )
        assert_read(tmp_path / "w.pth", expected)


class TestPyTorch:
    def test_numbers_of_big_endian_machines(self, tmp_path: Path) -> None:
        state, storages = torch_state(STATE)
        swapped = {key: np.frombuffer(numbers, "<f4").astype(">f4").tobytes() for key, numbers in storages.items()}
        foreign.write_torch_zip(tmp_path / "w.pth", state, swapped, byteorder="big")
        assert_read(tmp_path / "w.pth")

    def test_files_of_2017(self, tmp_path: Path) -> None:
        """torchvision's first VGGs, and their copies, use another function for tensors."""
        state, storages = torch_state(STATE)
        state = {
            name: Call(Global("torch._utils", "_rebuild_tensor"), *value.arguments[:4]) for name, value in state.items()
        }
        foreign.write_torch_legacy(tmp_path / "w.pth", state, storages)
        assert_read(tmp_path / "w.pth")

    def test_storages_that_are_parts_of_others_are_refused(self, tmp_path: Path) -> None:
        state, storages = torch_state(STATE)
        state["features.0.weight"].arguments[0].identifier += (("root", 4, 108),)
        foreign.write_torch_legacy(tmp_path / "w.pth", state, storages)
        assert "has storages that are parts of others" in error_message(tmp_path / "w.pth")

    def test_other_kinds_of_tensors_are_named(self, tmp_path: Path) -> None:
        sparse = unknown("torch._utils._rebuild_sparse_tensor", 1)
        foreign.write_torch_zip(tmp_path / "w.pth", {"w": sparse})
        assert "does not read (torch._utils._rebuild_sparse_tensor)" in error_message(tmp_path / "w.pth")

    def test_unknown_types_are_named(self, tmp_path: Path) -> None:
        state, storages = torch_state(STATE)
        state["features.0.weight"] = tensor("features.0.weight", 0, (4, 3, 3, 3), (27, 9, 3, 1), kind="QUInt4x2Storage")
        foreign.write_torch_zip(tmp_path / "w.pth", state, storages)
        assert "numbers of a type that jaxstyle does not read (torch.QUInt4x2Storage)" in error_message(
            tmp_path / "w.pth"
        )

    def test_tensors_that_python_pickled(self, tmp_path: Path) -> None:
        """`pickle.dump(model.state_dict(), file)` embeds a file in the legacy format for each storage."""
        state = {}
        for name, array in STATE.items():
            numbers = np.ascontiguousarray(array, np.float32)
            foreign.write_torch_legacy(tmp_path / "storage", Storage("FloatStorage", "7"), {"7": numbers.tobytes()})
            storage = unknown("torch.storage._load_from_bytes", (tmp_path / "storage").read_bytes())
            strides = tuple(stride // 4 for stride in numbers.strides)
            state[name] = unknown("torch._utils._rebuild_tensor_v2", storage, 0, array.shape, strides, False, {})
        (tmp_path / "w.pkl").write_bytes(foreign.pickled(state))
        assert_read(tmp_path / "w.pkl")

    @pytest.mark.parametrize("place", ["alone", "model", "deeper"])
    @pytest.mark.parametrize("write", [foreign.write_torch_zip, foreign.write_torch_legacy])
    def test_pickled_modules_are_named(self, place: str, write: Callable, tmp_path: Path) -> None:
        name = Global("torchvision.models.vgg", "VGG")
        code = Storage("", "")
        code.identifier = ("module", name, "vgg.py", "class VGG(nn.Module):")
        legacy = write is foreign.write_torch_legacy
        module = Built(code if legacy else name, {"training": False, "_modules": OrderedDict(), "_parameters": {}})
        best = tensor("0", 0, (1,), (1,))
        contents = {"alone": module, "model": {"epoch": 3, "model": module, "best": best}}
        contents |= {"deeper": {"best": best, "runs": [{"model": module}]}}
        write(tmp_path / "w.pth", contents[place], {} if place == "alone" else {"0": b"\0" * 4})
        assert error_message(tmp_path / "w.pth").endswith(
            "has a pickled module (torchvision.models.vgg.VGG), which needs its Python code; "
            "convert it in PyTorch: torch.save(model.state_dict(), 'state.pth')"
        )

    def test_containers_that_contain_themselves(self, tmp_path: Path) -> None:
        loop: list = []
        loop.append(loop)
        bomb: list = []
        for _ in range(60):  # 2 ** 60 lists, if each is visited
            bomb = [bomb, bomb]
        state, storages = torch_state(STATE)
        foreign.write_torch_zip(tmp_path / "w.pth", {"loop": loop, "bomb": bomb, "model": state}, storages)
        assert_read(tmp_path / "w.pth")


LISTS = {layer: [PARAMETERS[f"{layer}.kernel"], PARAMETERS[f"{layer}.bias"]] for layer in ("conv1_1", "conv1_2")}
WORDS = {layer: {"weights": kernel, "biases": bias} for layer, (kernel, bias) in LISTS.items()}
ALL = {"param values": list(PARAMETERS.values()), "mean value": np.ones(3, np.float32), "count": np.float64(3)}


class TestPicklesOfArrays:
    """Plain pickles, and the pickles in .npy and .npz files, as converters from Caffe write."""

    @pytest.mark.parametrize("protocol", range(6))
    @pytest.mark.parametrize("content", [LISTS, WORDS, ALL, PARAMETERS], ids=["lists", "words", "all", "names"])
    def test_pickle(self, content: object, protocol: int, tmp_path: Path) -> None:
        (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol))
        assert_read(tmp_path / "w.pkl")

    def test_pickle_of_python_2(self, tmp_path: Path) -> None:
        """Arrays in strings of bytes, in Fortran's order."""
        content = b"\x80\x02}("
        for name, array in PARAMETERS.items():
            numbers = array.tobytes(order="F")
            content += b"U" + bytes([len(name)]) + name.encode()
            content += b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\1btR(K\1"
            content += b"(" + b"".join(b"K" + bytes([length]) for length in array.shape) + b"t"
            content += b"cnumpy\ndtype\n(U\2f4K\0K\1tR(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x88"
            content += b"T" + len(numbers).to_bytes(4, "little") + numbers + b"tb"
        (tmp_path / "w.pkl").write_bytes(content + b"u.")
        assert pickle.loads(content + b"u.", encoding="latin1").keys() == PARAMETERS.keys()
        assert_read(tmp_path / "w.pkl")

    @pytest.mark.parametrize("content", [LISTS, WORDS, ALL])
    def test_npy_and_npz(self, content: dict, tmp_path: Path) -> None:
        np.save(tmp_path / "w.npy", np.array(content), allow_pickle=True)
        np.savez(tmp_path / "w.npz", vgg=np.array(content))
        assert_read(tmp_path / "w.npy")
        assert_read(tmp_path / "w.npz")

    def test_arrays_in_the_order_of_the_network(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "w.npz", *PARAMETERS.values(), np.ones((5, 3), np.float32), np.ones(3, np.float32))
        assert_read(tmp_path / "w.npz")
        normalization = np.ones((4, 4), np.float32)
        kernel, bias, *others = PARAMETERS.values()
        np.savez(tmp_path / "w.npz", kernel, bias, *normalization, *others)
        assert "has batch normalization" in error_message(tmp_path / "w.npz")

    def test_an_array_and_nothing_else(self, tmp_path: Path) -> None:
        np.save(tmp_path / "w.npy", np.ones((2, 2), np.float32))
        assert "has no convolutions" in error_message(tmp_path / "w.npy")


def one_layer() -> dict[str, np.ndarray]:
    shapes = parameter_shapes("vgg16")
    return random_parameters({name: shapes[name] for name in ("conv1_1.kernel", "conv1_1.bias")})


def write_one_layer(folder: Path) -> list[Path]:
    """One convolution in every format and several nestings."""
    parameters = one_layer()
    tensors = {name: array for name, array in foreign.torch_names(parameters).items() if "features" in name}
    state, storages = torch_state(tensors)
    for key in ("state_dict", "model_state_dict", "model"):
        foreign.write_torch_zip(folder / f"{key}.pth", {"epoch": 3, key: state}, storages)
        foreign.write_torch_legacy(folder / f"{key}.pt", {"epoch": 3, key: state}, storages)
    foreign.write_safetensors(folder / "w.safetensors", tensors)
    foreign.write_onnx(folder / "w.onnx", parameters)
    foreign.write_hdf5(folder / "w.h5", parameters)
    np.savez(folder / "w.npz", **parameters)
    with zipfile.ZipFile(folder / "w.keras", "w") as archive:
        archive.write(folder / "w.h5", "model.weights.h5")
    return sorted(folder.iterdir())


def test_missing_layers_are_named_in_the_same_line_for_every_format(tmp_path: Path) -> None:
    paths = write_one_layer(tmp_path)
    lines = {error_message(path).removeprefix(str(path)) for path in paths}
    assert len(lines) == 1 and len(paths) == 11
    (line,) = lines
    assert "it has 1 convolution, most similar to vgg16, but missing: conv1_2 [3, 3, 64, 64], conv2_1 " in line
    missing = [name.split(" ")[0] for name in line.split("missing: ")[1].replace("], ", "]|").split("|")]
    assert missing == foreign.layers_of(dict.fromkeys(parameter_shapes("vgg16")))[1:]
