"""Files and objects of other tools, which are not read: what they are, and how to convert them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from likely.data.source import Source
from likely.data.sources.format import Format, Holds, Options
from likely.data.sources.listing import names_in
from likely.errors import DataError

__all__ = ["FOREIGN", "advice", "cure"]

ARRAY = "save it by np.save('data.npy', {})"
TABLE = "save it by {}.to_parquet('data.parquet')"
PICKLED = (
    "a pickle, which is never opened, because that would run whatever it holds: open it where you trust it, and "
    "save an array by np.save('data.npy', np.asarray(x)), a tensor by np.save('data.npy', x.numpy()), a frame by "
    "x.to_parquet('data.parquet')"
)
ANNDATA = "HDF5 of an AnnData: " + TABLE.format("anndata.read_h5ad(FILE).to_df()")
HDF5 = "HDF5: " + ARRAY.format("h5py.File(FILE)[NAME][:]") + ", or a frame by pd.read_hdf(FILE).to_parquet(...)"
GRIB = "GRIB: " + ARRAY.format("xarray.open_dataset(FILE, engine='cfgrib')[NAME].values")
NETCDF = "NetCDF: " + ARRAY.format("xarray.open_dataset(FILE)[NAME].values")
MATLAB = "MATLAB: " + ARRAY.format("scipy.io.loadmat(FILE)[NAME]")
FITS = "FITS: " + ARRAY.format("astropy.io.fits.getdata(FILE)")
MARKET = "MatrixMarket: save it by scipy.sparse.save_npz('data.npz', scipy.io.mmread(FILE))"
FRAMES = "a video: save its frames as pictures of a folder, as by ffmpeg -i FILE FOLDER/%05d.png"
SOUND = "sound: " + ARRAY.format("windows") + ", windows of equal length, (rows, samples)"
SHEET = "a spreadsheet: " + TABLE.format("pd.read_excel(FILE)") + ", or export it as csv"
JSON = "JSON: " + TABLE.format("pd.read_json(FILE)")
PACKED = "an archive of a kind that is not read: unpack it, and give the folder"

SUFFIXES = {
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"), PICKLED),
    **dict.fromkeys((".h5ad", ".loom"), ANNDATA),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), HDF5),
    **dict.fromkeys((".grib", ".grib2", ".grb", ".grb2"), GRIB),
    **dict.fromkeys((".nc", ".cdf"), NETCDF),
    **dict.fromkeys((".fits", ".fit"), FITS),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg"), FRAMES),
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg"), SOUND),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), SHEET),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), JSON),
    **dict.fromkeys((".7z", ".rar", ".zst"), PACKED),
    ".mat": MATLAB,
    ".mtx": MARKET,
}
MAGIC = {
    b"\x89HDF\r\n\x1a\n": HDF5,
    b"GRIB": GRIB,
    b"CDF\x01": NETCDF,
    b"CDF\x02": NETCDF,
    b"MATLAB 5.0": MATLAB,
    b"SIMPLE  =": FITS,
    b"%%MatrixMarket": MARKET,
    b"7z\xbc\xaf": PACKED,
    b"Rar!": PACKED,
    **{b"\x80" + bytes([protocol]): PICKLED for protocol in range(2, 6)},
}


def advice(path: Path) -> str | None:
    """What a file of another tool is, and how to convert it; `None` for one that is not known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else suffixes[-1] if suffixes else ""
    if last in SUFFIXES:
        return SUFFIXES[last]
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK"):
        return _zipped(path)
    if head[4:8] == b"ftyp" or (head[:4], head[8:12]) == (b"RIFF", b"AVI "):
        return FRAMES
    if (head[:4], head[8:12]) == (b"RIFF", b"WAVE"):
        return SOUND
    return next((text for mark, text in MAGIC.items() if head.startswith(mark)), None)


def _zipped(path: Path) -> str | None:
    names = names_in(path)
    if any(name.endswith("data.pkl") for name in names):
        return PICKLED
    return SHEET if "[Content_Types].xml" in names else None


def cure(data: Any) -> str:
    """How an object of another kind is given as data, in one phrase."""
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(data).__mro__}
    if "anndata.AnnData" in kinds:
        return "give its matrix, data.X, or the frame data.to_df()"
    if "torch.DataLoader" in kinds or "torch.Dataset" in kinds:
        return "give its rows as one tensor: torch.stack([row[0] for row in dataset])"
    for way in ("collect", "to_pandas", "toPandas"):
        if hasattr(data, way):
            return f"give data.{way}()"
    if isinstance(data, (list, tuple)):
        return "make it an array, np.array(data), or a frame, pd.DataFrame(data)"
    if hasattr(data, "__array__"):
        return "give np.asarray(data)"
    return "convert it to one of these"


def _refuse(path: Path, _: Options) -> Source:
    raise DataError(f"{path} is {advice(path)}")


FOREIGN = Format("of another tool", _refuse, recognises=lambda path, _: bool(advice(path)), holds=Holds.NOTHING)
