// The code of `/link#…`. It stands behind the `#`, which no server sees; a sign-in in between would
// lose it, so it waits in this tab meanwhile.

const KEY = "docent.link";
const PATH = "/link";

/** Keep the code of this address for after the sign-in. */
export function keepCode(): void {
  if (location.pathname !== PATH || !location.hash) return;
  try {
    sessionStorage.setItem(KEY, location.hash.slice(1));
  } catch {
    // Without storage the link has to be opened once more.
  }
}

/** The code that was brought here, once; empty for none. */
export function takeCode(): string {
  let kept = "";
  try {
    kept = sessionStorage.getItem(KEY) ?? "";
    sessionStorage.removeItem(KEY);
  } catch {
    // As above.
  }
  const given = location.hash.slice(1);
  // Nothing that is shared or bookmarked later shall hold it.
  if (given) history.replaceState(history.state, "", PATH);
  return given || kept;
}
