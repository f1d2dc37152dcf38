"""A stand-in for CuPy and cuML where no GPU is: NumPy inside, and as unforgiving as they are outside.

What CuPy refuses, this refuses: to become a NumPy array unasked, to be mixed with one in arithmetic,
functions and keywords that CuPy lacks. It offers only what visclust uses, and in places less than CuPy
on purpose: NumPy's functions are not redirected, and `einsum` is left out, which CuPy turns into one small
product per row. Functions and keywords are in CuPy 13.6 and 14.2; a test asks the CuPy that is installed.
"""

import types
from importlib.machinery import ModuleSpec

import numpy as np

FUNCTIONS = {
    "arange": ("start", "stop", "step", "dtype"),
    "argmin": ("a", "axis", "dtype", "out", "keepdims"),
    "argpartition": ("a", "kth", "axis"),
    "argsort": ("a", "axis", "kind"),
    "asarray": ("a", "dtype", "order"),
    "ascontiguousarray": ("a", "dtype"),
    "bincount": ("x", "weights", "minlength"),
    "concatenate": ("tup", "axis", "out", "dtype", "casting"),
    "cumsum": ("a", "axis", "dtype", "out"),
    "empty": ("shape", "dtype", "order"),
    "empty_like": ("prototype", "dtype", "order", "subok", "shape"),
    "fill_diagonal": ("a", "val", "wrap"),
    "flatnonzero": ("a",),
    "full": ("shape", "fill_value", "dtype", "order"),
    "nonzero": ("a",),
    "searchsorted": ("a", "v", "side", "sorter"),
    "stack": ("tup", "axis", "out", "dtype", "casting"),
    "take_along_axis": ("a", "indices", "axis"),
    "triu": ("m", "k"),
    "unique": ("ar", "return_index", "return_inverse", "return_counts", "axis", "equal_nan"),
    "where": ("condition", "x", "y"),
    "zeros": ("shape", "dtype", "order"),
}
UFUNCS = ("abs", "isfinite", "maximum", "minimum", "sign", "sqrt", "square")
UFUNC_KEYWORDS = ("out", "dtype")
METHODS = {
    "all": ("axis", "out", "keepdims"),
    "any": ("axis", "out", "keepdims"),
    "argmax": ("axis", "out", "dtype", "keepdims"),
    "argmin": ("axis", "out", "dtype", "keepdims"),
    "astype": ("dtype", "order", "casting", "subok", "copy"),
    "copy": ("order",),
    "max": ("axis", "out", "keepdims"),
    "mean": ("axis", "dtype", "out", "keepdims"),
    "min": ("axis", "out", "keepdims"),
    "ravel": ("order",),
    "reshape": ("order",),
    "sum": ("axis", "dtype", "out", "keepdims"),
    "swapaxes": ("axis1", "axis2"),
}
CONSTANTS = ("bool_", "float32", "float64", "inf", "int32", "int64", "nan", "newaxis")
_FROM_THE_HOST = ("asarray", "ascontiguousarray")
_OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]
_COMPARISONS = ["lt", "le", "eq", "ne", "gt", "ge"]


class ndarray:  # noqa: N801 - CuPy's name
    """An array that counts as one on a GPU."""

    __hash__ = None

    def __init__(self, held):
        self._held = np.asarray(held)

    def get(self):
        """Give a copy on the host."""
        return self._held.copy()

    def tolist(self):
        return self._held.tolist()

    def __array__(self, *_args, **_kwargs):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, function, *_):
        raise TypeError(f"numpy.{function.__name__} was called on an array of the GPU: use its own module.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        # Reached by numpy.float32(2) * x, which CuPy takes, and by numpy_array * x, which it refuses.
        if method != "__call__" or kwargs:
            raise TypeError(f"numpy.{ufunc.__name__} was called on an array of the GPU: use its own module.")
        return _wrap(ufunc(*(_open(each) for each in inputs)))

    def __getitem__(self, index):
        return ndarray(self._held[_open_index(index)])

    def __setitem__(self, index, value):
        parts = index if isinstance(index, tuple) else (index,)
        by_arrays = any(isinstance(part, (ndarray, np.ndarray, list)) for part in parts)
        if isinstance(value, np.ndarray) and value.ndim and not by_arrays:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        held = value._held if isinstance(value, ndarray) else value
        self._held[_open_index(index)] = held

    def __len__(self):
        return len(self._held)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        return bool(self._held)

    def __int__(self):
        return int(self._held)

    def __float__(self):
        return float(self._held)

    def __neg__(self):
        return _wrap(-self._held)

    def __invert__(self):
        return _wrap(~self._held)

    def __abs__(self):
        return _wrap(abs(self._held))

    @property
    def T(self):  # noqa: N802 - NumPy's name
        return ndarray(self._held.T)

    @property
    def device(self):
        return types.SimpleNamespace(id=0)


def _add_members():
    for name in ("dtype", "shape", "ndim", "size", "itemsize", "nbytes", "flags"):
        setattr(ndarray, name, property(lambda self, name=name: getattr(self._held, name)))
    for name in _OPERATORS:
        setattr(ndarray, f"__{name}__", _make_operator(f"__{name}__"))
        setattr(ndarray, f"__r{name}__", _make_operator(f"__r{name}__"))
        setattr(ndarray, f"__i{name}__", _make_operator(f"__i{name}__", in_place=True))
    for name in _COMPARISONS:
        setattr(ndarray, f"__{name}__", _make_operator(f"__{name}__"))
    for name, keywords in METHODS.items():
        setattr(ndarray, name, _make_method(name, keywords))
    ndarray.__module__ = "cupy"


def _make_operator(name, *, in_place=False):
    def operate(self, other):
        found = getattr(self._held, name)(_open(other))
        if found is NotImplemented:
            return NotImplemented
        return self if in_place else _wrap(found)

    return operate


def _make_method(name, keywords):
    def method(self, *args, **kwargs):
        _check_keywords(f"ndarray.{name}", kwargs, keywords)
        kwargs = {key: _open(value) for key, value in kwargs.items()}
        return _wrap(getattr(self._held, name)(*args, **kwargs))

    return method


def _make_function(name, keywords):
    def function(*args, **kwargs):
        _check_keywords(name, kwargs, keywords)
        if len(args) > len(keywords):
            raise TypeError(f"cupy.{name} takes {len(keywords)} arguments, got {len(args)}.")
        from_host = name in _FROM_THE_HOST
        args = [_open(each, from_host=from_host) for each in args]
        kwargs = {key: _open(value) for key, value in kwargs.items()}
        # CuPy takes other names than NumPy for some of its parameters, in the same places.
        found = getattr(np, name)(*args, **kwargs)
        return _wrap(found.copy() if from_host else found)

    return function


def _make_ufunc(name):
    def ufunc(*args, **kwargs):
        _check_keywords(name, kwargs, UFUNC_KEYWORDS)
        out = kwargs.pop("out", None)
        found = getattr(np, name)(*map(_open, args), out=None if out is None else out._held, **kwargs)
        return _wrap(found) if out is None else out

    return ufunc


def _check_keywords(name, given, allowed):
    for keyword in given:
        if keyword not in allowed:
            raise TypeError(f"cupy.{name} has no keyword {keyword!r}.")


def _open(value, *, from_host=False):
    """Give what is inside, and refuse an array of the host where CuPy would."""
    if isinstance(value, ndarray):
        return value._held
    if isinstance(value, np.ndarray) and not from_host:
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list) and any(isinstance(each, ndarray) for each in value):
        return [_open(each) for each in value]
    return value


def _open_index(index):
    # CuPy brings lists and NumPy arrays to the GPU where they are indices.
    if isinstance(index, tuple):
        return tuple(_open_index(part) for part in index)
    return index._held if isinstance(index, ndarray) else index


def _wrap(found):
    if isinstance(found, tuple):
        return tuple(_wrap(each) for each in found)
    return None if found is None else ndarray(found)


def _eigh(a, UPLO="L"):  # noqa: N803 - NumPy's name
    return _wrap(tuple(np.linalg.eigh(_open(a), UPLO)))


def make_cupy():
    """Make the module that stands for `cupy`."""
    module = types.ModuleType("cupy")
    module.__spec__ = ModuleSpec("cupy", None)
    module.ndarray = ndarray
    module.is_available = lambda: True
    properties = {"name": b"Stand-in"}  # bytes, as CUDA gives them
    runtime = types.SimpleNamespace(getDeviceProperties=lambda _id: properties)
    module.cuda = types.SimpleNamespace(runtime=runtime)
    for name in CONSTANTS:
        setattr(module, name, getattr(np, name))
    for name, keywords in FUNCTIONS.items():
        setattr(module, name, _make_function(name, keywords))
    for name in UFUNCS:
        setattr(module, name, _make_ufunc(name))
    module.linalg = types.SimpleNamespace(eigh=_eigh)
    return module


class KMeans:
    """Lloyd's iterations, with the parameters of cuML 26.2; a cluster without members keeps its centre."""

    def __init__(
        self,
        *,
        n_clusters=8,
        max_iter=300,
        tol=1e-4,
        verbose=False,
        random_state=None,
        init="scalable-k-means++",
        n_init="auto",
        oversampling_factor=2.0,
        max_samples_per_batch=1 << 15,
        output_type=None,
    ):
        self.n_clusters, self.max_iter, self.init, self.n_init = n_clusters, max_iter, init, n_init
        self.tol = tol
        assert output_type == "cupy"

    def fit(self, X, y=None, sample_weight=None):  # noqa: N803 - cuML's name
        _check_for_cuml(X)
        _check_for_cuml(self.init)
        assert self.init.shape == (self.n_clusters, X.shape[1]) and self.n_init == 1
        rows, centers = X.get(), self.init.get()
        for _ in range(min(self.max_iter, 30)):
            squares = ((rows[:, None] - centers) ** 2).sum(axis=2)
            labels = squares.argmin(axis=1)
            before = centers.copy()
            for cluster in np.unique(labels):
                centers[cluster] = rows[labels == cluster].mean(axis=0)
            if ((centers - before) ** 2).sum() < self.tol:
                break
        self.labels_ = ndarray(labels.astype("int32"))
        self.cluster_centers_ = ndarray(centers)
        self.inertia_ = float(squares.min(axis=1).sum())
        return self


class UMAP:
    """The first columns, with the parameters of cuML 26.2 that are in use."""

    def __init__(
        self,
        *,
        n_components=2,
        n_neighbors=15,
        min_dist=0.1,
        metric="euclidean",
        random_state=None,
        output_type=None,
    ):
        assert output_type == "cupy" and random_state is not None and metric in ("euclidean", "cosine")
        self._n_components = n_components

    def fit_transform(self, X, y=None):  # noqa: N803 - cuML's name
        _check_for_cuml(X)
        return ndarray(X.get()[:, : self._n_components])


def silhouette_samples(X, labels, metric="euclidean", chunksize=None):  # noqa: N803 - cuML's name
    """Score as scikit-learn does, for float32 alone."""
    from sklearn import metrics

    _check_for_cuml(X)
    assert labels.dtype == np.int32
    return ndarray(metrics.silhouette_samples(X.get(), labels.get(), metric=metric).astype("float32"))


def make_cuml():
    """Make the modules that stand for those of cuML, by name."""
    modules = {}
    for name in ("cuml", "cuml.cluster", "cuml.manifold", "cuml.metrics", "cuml.metrics.cluster"):
        modules[name] = types.ModuleType(name)
        modules[name].__spec__ = ModuleSpec(name, None, is_package=True)
    modules["cuml.cluster"].KMeans = KMeans
    modules["cuml.manifold"].UMAP = UMAP
    modules["cuml.metrics.cluster"].silhouette_samples = silhouette_samples
    return modules


def _check_for_cuml(rows):
    assert isinstance(rows, ndarray) and rows.dtype == np.float32 and rows.flags.c_contiguous


_add_members()
