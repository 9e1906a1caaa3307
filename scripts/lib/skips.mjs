/**
 * Tests that may be skipped, and why that is right. Any other skip fails the run.
 *
 * `file` is a path below test/ without its ending, `test` and `reason` match the test's name and the stated reason.
 *
 * @type {{ lane: 'host' | 'vm', file: RegExp, test: RegExp, reason: RegExp, why: string }[]}
 */
export const ALLOWED_SKIPS = [
  {
    lane: 'vm',
    file: /^integration\/cgroups$/,
    test: /^v1 with nothing but the freezer controller$/,
    reason: /no cgroup v1/,
    why: 'the VM is there to have cgroup v2 alone',
  },
]

/** @param {{ lane: string, file: string, name: string, reason: string }} skip */
export function isAllowed(skip) {
  if (skip.reason === '') return false
  return ALLOWED_SKIPS.some(
    (row) =>
      row.lane === skip.lane && row.file.test(skip.file) && row.test.test(skip.name) && row.reason.test(skip.reason),
  )
}
