import platform
import subprocess
import sys

import pytest
import typer

from mmzoo import compilation_cache
from mmzoo.cli.doctor import doctor
from mmzoo.planning import diagnosis, processor


def test_a_python_that_tensorflow_has_no_wheel_for_is_a_problem():
    assert diagnosis.check_python((3, 11)).status == "ok"
    assert diagnosis.check_python((3, 9)).status == "problem"
    assert "Python 3.10 to 3.13" in diagnosis.check_python((3, 14)).remedy


@pytest.mark.parametrize(
    ("tensorflow", "tf_keras", "status", "remedy"),
    [
        ("2.21.0", "2.21.1", "ok", ""),
        ("2.21.0", "2.19.0", "problem", "tf-keras==2.21.*"),
        ("2.21.0", None, "problem", "tf-keras>=2.21,<2.22"),
        ("2.20.0", "2.20.0", "warning", "tested with TensorFlow 2.21 only"),
    ],
)
def test_tensorflow_and_its_keras_must_match(tensorflow, tf_keras, status, remedy):
    finding = diagnosis.check_pair(tensorflow, tf_keras)
    assert finding.status == status
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("version", "status"), [("0.1.2", "ok"), ("0.1.1", "problem"), (None, "problem")]
)
def test_deepreg_must_be_the_version_that_is_adapted(version, status):
    finding = diagnosis.check_deepreg(version)
    assert finding.status == status
    assert ("--no-deps deepreg==0.1.2" in finding.remedy) == (status == "problem")


def test_missing_packages_are_named_with_the_command_that_installs_them():
    finding = diagnosis.check_dependencies(["numpy", "no-such-package-at-all"])
    assert finding.status == "problem"
    assert finding.remedy == "python -m pip install no-such-package-at-all"


def test_autoload_off_is_a_warning_and_absent_a_problem():
    assert diagnosis.check_autoload(True, {}).status == "ok"
    assert "unset MMZOO_AUTOLOAD" in diagnosis.check_autoload(True, {"MMZOO_AUTOLOAD": "0"}).remedy
    assert diagnosis.check_autoload(False, {}).status == "problem"


def test_plugins_and_keras_are_found():
    assert "segi" in diagnosis.check_plugins().detail
    assert diagnosis.check_keras().status == "ok"


@pytest.mark.parametrize(
    ("share", "with_onednn", "status", "detail", "remedy"),
    [
        (1.0, True, "ok", "AVX2, AMX; a convolution is as quick as it should be", ""),
        (0.25, False, "warning", "4.0 times slower than it could be", "TF_ENABLE_ONEDNN_OPTS=1"),
        (0.25, True, "warning", "4.0 times slower than it could be", "the processor alone"),
    ],
)
def test_a_slow_convolution_is_a_warning_with_its_remedy(
    share, with_onednn, status, detail, remedy
):
    finding = diagnosis.check_processor(["AVX2", "AMX"], share, with_onednn)
    assert finding.status == status and detail in finding.detail and remedy in finding.remedy
    assert "vector instructions: not known" in diagnosis.check_processor(None, 1.0, True).detail


def test_vector_instructions_are_read_from_the_system(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx avx2 avx512f amx_tile\n\nprocessor\t: 1")
    assert processor.vector_instructions(cpuinfo) == ["AVX2", "AVX512", "AMX"]
    cpuinfo.write_text("processor\t: 0\nFeatures\t: fp asimd sve\n")
    assert processor.vector_instructions(cpuinfo) == ["NEON", "SVE"]
    assert processor.vector_instructions(tmp_path / "absent") is None


def test_the_name_of_the_processor_is_read_from_the_system(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz \n\nmodel name\t: Other\n")
    assert processor.processor_name(cpuinfo) == "Some CPU @ 2 GHz"
    cpuinfo.write_text("processor\t: 0\n")
    names = platform.processor(), platform.machine()
    assert processor.processor_name(cpuinfo) in names
    assert processor.processor_name(tmp_path / "absent") in names


def test_the_convolution_s_share_is_that_of_the_measured_seconds(monkeypatch):
    products = {"convolution": 32**3 * 27 * 16 * 16, "product": 768**3}
    seconds = iter([1, 1] + 15 * [products["convolution"] * 2, products["product"] / 2])
    monkeypatch.setattr(processor, "_seconds", lambda work: next(seconds))
    assert processor.convolution_share() == pytest.approx(0.25)


def test_the_compilation_cache_has_a_place_and_a_size(monkeypatch, tmp_path):
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "cache" / "version").mkdir(parents=True)
    (tmp_path / "cache" / "version" / "a.pb").write_bytes(bytes(3 * 2**20))
    finding = diagnosis.check_compilation_cache()
    assert finding.status == "ok"
    assert finding.detail == f"{tmp_path / 'cache'}, 3 of at most 128 MB"
    monkeypatch.setattr(diagnosis.os, "access", lambda *_: False)
    assert "set MMZOO_COMPILATION_CACHE" in diagnosis.check_compilation_cache().remedy
    monkeypatch.setenv(compilation_cache.VARIABLE, "0")
    assert "off: MMZOO_COMPILATION_CACHE=0" in diagnosis.check_compilation_cache().detail


@pytest.mark.parametrize(("switch", "says"), [("1", "run on fast pieces"), ("0", "off: MMZOO_")])
def test_acceleration_is_said_to_be_on_or_off(switch, says, monkeypatch):
    monkeypatch.setenv("MMZOO_ACCELERATE", switch)
    assert says in diagnosis.check_acceleration().detail


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path):
    assert diagnosis.try_writing(str(tmp_path)).status == "ok"
    finding = diagnosis.try_writing(str(tmp_path / "absent"))
    assert finding.status == "problem"
    assert "change to a folder of yours" in finding.remedy


def test_a_problem_ends_with_exit_code_1_and_its_remedy(monkeypatch, capsys):
    finding = diagnosis.Finding("problem", "Keras", "broken", "mend it")
    monkeypatch.setattr(diagnosis, "diagnose", lambda: [finding])
    with pytest.raises(typer.Exit) as ended:
        doctor()
    assert ended.value.exit_code == 1
    assert "-> mend it" in capsys.readouterr().out


def test_no_problem_ends_well(monkeypatch, capsys):
    finding = diagnosis.Finding("warning", "GPU", "unseen", "look")
    monkeypatch.setattr(diagnosis, "diagnose", lambda: [finding])
    doctor()
    assert "unseen" in capsys.readouterr().out


def test_the_command_says_what_it_found():
    command = [sys.executable, "-m", "mmzoo.cli.main", "doctor"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    for subject in ("Python", "TensorFlow", "DeepReg", "autoload", "writable"):
        assert subject in ended.stdout, ended.stderr
    assert ended.returncode == int("problem" in ended.stdout)
