#!/usr/bin/env bash
# Nothing of one machine in the tree: no absolute paths of a workplace, no folder beside the repository, no environment variable beyond the two (the virtual GPU reads its own), and beyond those that say where NVIDIA's tools are.
. "$(dirname "$0")/lib.sh"

mapfile -t all < <(files '*' | grep -vE '\.(json|gguf|png)$' | xargs grep -lI '' 2>/dev/null)
refuseLines portable '(^|[^a-zA-Z0-9_.])/(work|f[a]rm|tmp/wt)/|\.\.[/]shared' "${all[@]}"

while IFS=: read -r file line text; do
  name=$(sed -E 's/.*getenv\("([^"]*)".*/\1/' <<<"$text")
  [[ $name =~ ^(TESSERA_(CACHE|DUMP|VGPU.*)|HOME|XDG_CACHE_HOME|PATH|CUDA_HOME)$ ]] || offence "$file:$line reads the environment variable $name"
done < <(files '*.h' '*.cpp' | grep -vE '^(tests|runtime/vgpu)/' | xargs grep -nHE 'getenv\(' || true)
verdict "traces of one machine"
