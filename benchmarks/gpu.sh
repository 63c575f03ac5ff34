#!/usr/bin/env bash
# Tests, benchmarks and profiles on a machine with a card, in one go; `make test-gpu` calls it.
#
#     benchmarks/gpu.sh [FOLDER [STEP…]]        results below FOLDER (build/gpu by default); all steps by default
#
# PYTHON names the interpreter (python3 by default). It needs the package's dependencies, pytest, numba-cuda, torch and
# PyNvVideoCodec; wheels unpacked elsewhere are found through PYTHONPATH, and the checkout itself need not be installed.
# Without the FFmpeg command its side is left out. A step that fails does not keep the next ones from running; the exit
# code is 0 only if all passed. GPU_QA_LIMIT_S is how long all of it may take (540 s by default): a step that would begin
# later is left out and counts as failed, and the last one is cut short. What matters most comes first.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHON=${PYTHON:-python3}
case $PYTHON in */*) PYTHON=$(realpath -s "$PYTHON") ;; esac
out=${1:-build/gpu}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
shift $(($# > 0))
chosen=" $* "
films=${GPU_QA_FILMS:-$out/films}
export PYTHONPATH="$PWD:$PWD/kernels${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
# The checkout may be read-only: compiled kernels are kept with the results.
export NUMBA_CACHE_DIR="${NUMBA_CACHE_DIR:-$out/numba}"
unset NUMBA_ENABLE_CUDASIM
limit_total_s=${GPU_QA_LIMIT_S:-540}
failed=()

step() { # NAME LIMIT_S COMMAND…: run it, keep its output, note how it ended
    local name=$1 limit_s=$2 started=$SECONDS ended
    shift 2
    [ "$chosen" = "  " ] || [[ $chosen == *" $name "* ]] || return 0
    local left_s=$((limit_total_s - SECONDS))
    if ((left_s < 10)); then
        printf '%-14s%-14s\n' "$name" "left out" >>"$out/steps.txt"
        failed+=("$name")
        return 0
    fi
    ((limit_s <= left_s)) || limit_s=$left_s
    echo "== $name"
    timeout --kill-after=10 "$limit_s" "$@" >"$out/$name.log" 2>&1
    local code=$?
    tail -n 25 "$out/$name.log"
    ended=passed
    [ $code = 0 ] || { ended="failed ($code)" && failed+=("$name"); }
    printf '%-14s%-14s%4d s\n' "$name" "$ended" $((SECONDS - started)) >>"$out/steps.txt"
}

machine() {
    nvidia-smi
    echo "--- driver libraries as the loader finds them"
    "$PYTHON" - <<'PY'
import ctypes

missing = []
for name, needed_for in (
    ("libcuda.so.1", "anything on the card"),
    ("libnvcuvid.so.1", "decoding with NVDEC; part of the driver: containers need the video driver capability"),
    ("libnvidia-encode.so.1", "importing PyNvVideoCodec"),
):
    try:
        ctypes.CDLL(name)
        print(f"{name}: loads")
    except OSError as error:
        missing.append(name)
        print(f"{name}: MISSING, needed for {needed_for} ({error})")
raise SystemExit(bool(missing))
PY
    local code=$?
    find /usr /opt \( -name 'libnvcuvid.so*' -o -name 'libnvidia-encode.so*' \) 2>/dev/null
    echo "--- python"
    "$PYTHON" -VV
    "$PYTHON" -m pip list 2>/dev/null | grep -iE '^(av|cuda|llvmlite|numba|numpy|pynv|pytest|torch|triton)'
    echo "--- doctor"
    "$PYTHON" -m gpu_qa doctor
    return $code
}
export -f machine

: >"$out/steps.txt"
step machine 90 bash -c machine
# Kernels need CUDA alone, decoding NVDEC as well: a machine may have the one without the other.
export GPU_QA_REQUIRE=cuda
step tests-cuda 180 "$PYTHON" -m pytest -q -m "needs_cuda and not needs_nvdec" -p no:cacheprovider \
    --junitxml="$out/tests-cuda.xml"
step tests-nvdec 180 "$PYTHON" -m pytest -q -m needs_nvdec -p no:cacheprovider --junitxml="$out/tests-nvdec.xml"
unset GPU_QA_REQUIRE
step kernels 90 "$PYTHON" benchmarks/kernels.py --device cuda --require 0.6 --rounds 30 --output "$out/kernels.json"
step bench 240 "$PYTHON" -m gpu_qa bench --device cuda --formats h264:1080p30 --seconds 8 --rounds 2 --price \
    --output "$out/bench.json"
step profile-cuda 90 "$PYTHON" benchmarks/device_profile.py --device cuda --streams 8 --films "$films" \
    --output "$out/profile-cuda"
sides=decode,analyze
! command -v ffmpeg >/dev/null || sides="$sides,ffmpeg small"
step pipeline-cuda 150 "$PYTHON" benchmarks/pipeline.py --device cuda --sides "$sides,first result" --rounds 3 \
    --films "$films" --output "$out/pipeline-cuda.json"
step pipeline-cpu 150 "$PYTHON" benchmarks/pipeline.py --device cpu --sides "$sides,first result" --rounds 3 \
    --films "$films" --output "$out/pipeline-cpu.json"
step profile-cpu 90 "$PYTHON" benchmarks/device_profile.py --device cpu --films "$films" --output "$out/profile-cpu"

echo "== summary ($out)"
cat "$out/steps.txt"
[ ${#failed[@]} = 0 ]
