"""Vectors of doubles inside numba functions: one frame per lane, explicit SIMD instructions.

Arrays are handled by their addresses: plain integers, which numba neither counts nor copies. The kernels are compiled
into a folder named after their sources, since numba's cache looks at the file of the outermost function only.
"""

import hashlib
import operator
from pathlib import Path

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

# Doubles in a register of this machine: 8 with AVX-512, else 4 (two registers where they hold 2).
LANES = 8 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 4

_here = Path(__file__).parent
_sources = b"".join((_here / f"{name}.py").read_bytes() for name in ("lanes", "steps", "kernels", "quaternions"))
numba.config.CACHE_DIR = str(_here / "__pycache__" / f"kernels_{hashlib.sha256(_sources).hexdigest()[:16]}")

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


class Lanes(types.Type):
    def __init__(self):
        super().__init__(name=f"float64x{LANES}")


_lanes = Lanes()
_llvm_lanes = ir.VectorType(ir.DoubleType(), LANES)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _llvm_lanes)


def _pointer(builder, address, index, stride, target):
    """Pointer to element ``index`` of ``stride`` bytes from an integer address."""
    offset = builder.mul(index, ir.Constant(index.type, stride))
    return builder.inttoptr(builder.add(address, offset), target.as_pointer())


def _reader(result, llvm_type, stride):
    def read(typing, address, index):
        def emit(context, builder, signature, arguments):
            return builder.load(_pointer(builder, *arguments, stride, llvm_type), align=8)

        return result(types.intp, types.intp), emit

    return intrinsic(read)


load = _reader(_lanes, _llvm_lanes, 8 * LANES)  # vector number `index` from an address
number = _reader(types.float64, ir.DoubleType(), 8)
integer = _reader(types.int64, ir.IntType(64), 8)


@intrinsic
def store(typing, address, index, value):
    def emit(context, builder, signature, arguments):
        address, index, value = arguments
        builder.store(value, _pointer(builder, address, index, 8 * LANES, _llvm_lanes), align=8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, _lanes), emit


@intrinsic
def address(typing, array):
    """Where the data of an array are; the caller keeps the array alive."""

    def emit(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), emit


@intrinsic
def splat(typing, number):
    """The same number in all lanes."""

    def emit(context, builder, signature, arguments):
        one = builder.insert_element(ir.Constant(_llvm_lanes, ir.Undefined), arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(
            one, ir.Constant(_llvm_lanes, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        )

    return _lanes(types.float64), emit


def _operator(python, llvm):
    @intrinsic
    def instruction(typing, a, b):
        def emit(context, builder, signature, arguments):
            return getattr(builder, llvm)(*arguments)

        return _lanes(_lanes, _lanes), emit

    @overload(python, inline="always")
    def _(a, b):
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: instruction(a, b)


for _python, _llvm in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _operator(_python, _llvm)
