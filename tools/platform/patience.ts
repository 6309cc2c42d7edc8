/** For how long Dawn may ask in every turn of the event loop, before it asks once a millisecond; in milliseconds. */
const EAGER_MS = 20;

type Schedule = (callback: () => void, ...rest: []) => unknown;

/**
 * Makes `setImmediate` patient with native callbacks. While something is awaited, Dawn's addon asks its devices in every
 * turn of the event loop, 20 times a millisecond: that keeps a processor busy which a software driver would compute on,
 * and leaves so many small objects behind that Deno takes minutes to collect those of a long wait. After a few
 * milliseconds of a wait it is made to ask once a millisecond. Callbacks of scripts run as ever.
 *
 * @param immediate What it was before.
 * @param later Calls back after a millisecond.
 */
export function patientImmediate<I extends Schedule>(
  immediate: I,
  later: Schedule = (callback) => setTimeout(callback, 1),
  now: () => number = () => performance.now(),
): I {
  let began = 0, asking = false;
  return ((callback, ...rest) => {
    if (!isNative(callback)) return immediate(callback, ...rest);
    if (!asking) began = now(); // else it asks again from within: the same wait goes on
    const ask = () => {
      asking = true;
      try {
        callback();
      } finally {
        asking = false;
      }
    };
    return (now() - began < EAGER_MS ? immediate : later)(ask);
  }) as I;
}

function isNative(callback: () => void): boolean {
  return callback.name === "" && /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(callback));
}
