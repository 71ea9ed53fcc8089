#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tensor types of the second decoder: its logits are those of `tacit eval`, to the bit, for every file of the
conformance kit whose types it reads. Without the kit nothing is compared. Usage: spec_types.py TACIT SPEC KIT"""
import json
import pathlib
import subprocess
import sys
import tempfile

TYPES_LEFT_OUT = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"}  # their grids
TOKEN_COUNT = 12


def main():
    tacit, spec, kit = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]) / "conformance/quants"
    if not kit.exists():
        print(f"left out: needs {kit}, which is not on this machine")
        return 0
    sys.path.insert(0, spec)
    import decoder
    import numpy as np

    tokens = json.loads((kit / "tokens.json").read_text())["tokens"][:TOKEN_COUNT]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        ids, logits = pathlib.Path(folder) / "ids.json", pathlib.Path(folder) / "logits.f32"
        ids.write_text(json.dumps(tokens))
        for path in sorted(kit.glob("*.gguf")):
            if path.stem in TYPES_LEFT_OUT:
                continue
            subprocess.run([tacit, "eval", "-m", path, "--tokens", ids, "--logits", logits], check=True)
            expected = np.fromfile(logits, np.uint32).reshape(TOKEN_COUNT, -1)
            model = decoder.Model(path.read_bytes())
            model.start(TOKEN_COUNT, TOKEN_COUNT, 1)
            found = np.stack([model.logits([token], p)[0] for p, token in enumerate(tokens)]).view(np.uint32)
            same = np.array_equal(expected, found)
            failures += not same
            print("ok" if same else "FAILED", path.stem)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
