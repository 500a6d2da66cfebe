// Which files of the folders that are open may be the source of a citation. What a page's address
// only suggests is opened as the source when the quote stands in it.

import type { Place } from "./answer";
import { repositoryOf } from "./question";

/** A folder that is open, and where its repository comes from; empty for no repository. */
export interface Folder {
  root: string;
  repository: string;
  /** Of the open folder in its repository, such as `docs/`; empty where they are the same. */
  within?: string;
}

/** Files that may be it. `sure`: the address names the repository and the path. */
export interface Candidate {
  /** The folder that it must be in; null for any. */
  root: string | null;
  /** Relative to the folder; of a guess only the end of it. */
  path: string;
  sure: boolean;
}

const BLOB = /^(?<project>\/.+?)\/(?:-\/)?(?:blob|blame|edit|tree|src\/branch)\/(?<rest>[^?#]+)/;
const WRITTEN = ["md", "rst", "txt", "ipynb", "adoc", "tex", "html"];
const LONGEST = 400;

/** What to look at, the surest first. Never an absolute path, and none that leaves its folder. */
export function candidates(place: Pick<Place, "document_id" | "url">, folders: readonly Folder[]): Candidate[] {
  const all = [...ofRepository(place.url, folders), ...ofId(place.document_id), ...ofAddress(place.url)];
  const seen = new Set<string>();
  return all.filter(({ root, path }) => {
    const key = `${root ?? ""}\n${path}`;
    if (!inside(path) || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Whether a relative path stays in the folder that it is of. */
export function inside(path: string): boolean {
  return path.length > 0 && path.length <= LONGEST && !/[\\\0:]/.test(path)
    && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function ofRepository(address: string, folders: readonly Folder[]): Candidate[] {
  const url = parsed(address);
  const blob = url && BLOB.exec(url.pathname)?.groups;
  if (!url || !blob) return [];
  const repository = repositoryOf(url.origin + blob["project"]).toLowerCase();
  return folders
    .filter((folder) => folder.repository && repositoryOf(folder.repository).toLowerCase() === repository)
    .flatMap(({ root, within = "" }) => afterBranch(decoded(blob["rest"]!)).flatMap((path) =>
      path.startsWith(within) ? [{ root, path: path.slice(within.length), sure: true }] : []));
}

// A branch may have slashes in its name: every cut is a candidate, and one of them is a file.
function afterBranch(rest: string): string[] {
  const parts = rest.split("/");
  return parts.slice(1, 6).map((_, index) => parts.slice(index + 1).join("/"));
}

function ofId(id: string): Candidate[] {
  const path = id.slice(id.indexOf(":") + 1).split("#")[0]!;
  return /\.\w{1,8}$/.test(path) ? [{ root: null, path, sure: false }] : [];
}

function ofAddress(address: string): Candidate[] {
  const url = parsed(address);
  if (!url || BLOB.test(url.pathname)) return [];
  const parts = decoded(url.pathname).split("/").filter(Boolean).slice(-2);
  if (!parts.length) return [];
  const stem = parts.join("/").replace(/\.html?$/, "");
  return WRITTEN.flatMap((ending) => [`${stem}.${ending}`, `${stem}/index.${ending}`])
    .map((path) => ({ root: null, path, sure: false }));
}

function parsed(address: string): URL | null {
  return /^https?:\/\//i.test(address) && URL.canParse(address) ? new URL(address) : null;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
