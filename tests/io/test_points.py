"""Points in CSV and in Slicer's files."""

import csv
import json

import numpy as np
import pytest

from mmzoo.io.points import read_points

PLACES = np.array([[1.5, -2.0, 3.25], [4.0, 5.0, -6.0]])
LPS = PLACES * [-1, -1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "name,x,y,z\na,1.5,-2,3.25\nb,4,5,-6\n",
        "\ufeffname,x,y,z\na,1.5,-2,3.25\nb,4,5,-6\n",
        "name;x;y;z\na;1.5;-2;3.25\nb;4;5;-6\n",
        "name,x,y,z,\na,1.5,-2,3.25,\nb,4,5,-6,\n",
        "name, x, y, z\r\na,1.5,-2,3.25,,\r\n\r\nb,4,5,-6\r\n",
        '"x","y","z","name"\n1.5,-2,3.25,"a, b"\n4,5,-6,c\n',
    ],
    ids=["plain", "byte order mark", "semicolons", "trailing", "spare cells", "quotes"],
)
def test_a_csv_is_read_and_written_back_with_its_other_columns(text, tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text(text, encoding="utf-8", newline="")
    points = read_points(path, "ras")
    np.testing.assert_allclose(points.places, LPS)
    points.write(out, points.places + [1, 0, 0])
    again = read_points(out, "ras")
    np.testing.assert_allclose(again.places, LPS + [1, 0, 0])
    separator = ";" if ";" in text else ","
    names = [row["name"] for row in csv.DictReader(out.open(), delimiter=separator)]
    assert names == (["a, b", "c"] if '"a, b"' in text else ["a", "b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in its first line; got no row"),
        ("a,b\n1,2\n", "must have columns x, y and z"),
        ("x,y,z\n1,2,3,4\n", "line 2: 4 cells under 3 names"),
        ("x,y,z\n1,2\n", "line 2: 2 cells under 3 names"),
        ("x;y;z\n1,5;2;3\n", "line 2: '1,5' is no number; write decimals with a point"),
        ("x,y,z\n1,2,c\n", "line 2: 'c' is no number"),
        ("x,y,z\n1,2,3\n1,nan,3\n", "line 3: must hold finite numbers"),
        ("x,y,z\n", "holds no point"),
    ],
)
def test_a_csv_that_cannot_be_used_is_named_with_its_line(text, message, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_points(tmp_path / "a.csv", "ras")


def fcsv(frame):
    return f"""# Markups fiducial file version = 4.11
# CoordinateSystem = {frame}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,1.5,-2,3.25,0,0,0,1,1,1,0,F-1,,vtk
2,4,5,-6,0,0,0,1,1,1,0,"F, 2",,vtk
"""


def markups(frame, **more):
    points = [{"id": str(k), "position": place.tolist()} for k, place in enumerate(PLACES)]
    each = {"type": "Fiducial", "coordinateSystem": frame, "controlPoints": points, **more}
    return json.dumps({"markups": [each]})


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
@pytest.mark.parametrize(("name", "make"), [("a.fcsv", fcsv), ("a.mrk.json", markups)])
def test_slicers_files_say_their_frame_and_keep_it(name, make, frame, tmp_path):
    path, out = tmp_path / name, tmp_path / f"new{name}"
    path.write_text(make(frame))
    points = read_points(path)
    np.testing.assert_allclose(points.places, PLACES if frame == "LPS" else LPS)
    points.write(out, points.places + [0, 2, 0])
    again = read_points(out)
    assert again.frame == frame.lower()
    np.testing.assert_allclose(again.places, points.places + [0, 2, 0])
    with pytest.raises(ValueError, match=f"says that it counts in {frame}"):
        read_points(path, "ras" if frame == "LPS" else "lps")
    with pytest.raises(ValueError, match="must end in"):
        points.write(tmp_path / "b.csv", points.places)


def test_slicers_older_numbers_for_frames_and_stale_measurements(tmp_path):
    (tmp_path / "a.fcsv").write_text(fcsv("0"))
    assert read_points(tmp_path / "a.fcsv").frame == "ras"
    (tmp_path / "a.mrk.json").write_text(markups("LPS", measurements=[{"name": "length"}]))
    points = read_points(tmp_path / "a.mrk.json")
    points.write(tmp_path / "b.mrk.json", points.places)
    assert "measurements" not in (tmp_path / "b.mrk.json").read_text()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.fcsv", "1,2,3\n", "must say `# CoordinateSystem"),
        ("a.mrk.json", "{}", "no file of Slicer's markups"),
        ("a.mrk.json", "{", "no file of Slicer's markups"),
        ("a.mrk.json", markups("IJK"), "must count all points in LPS or in RAS"),
        ("a.mrk.json", markups("LPS", coordinateUnits="m"), "must count all points"),
        ("a.csv", "x,y,z\n1,2,3\n", "needs `--frame ras`"),
    ],
)
def test_what_is_no_file_of_points_is_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_points(tmp_path / name)
