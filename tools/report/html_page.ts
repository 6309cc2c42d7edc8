import type { PageAssets } from "./page_assets.ts";

/** What {@linkcode htmlPage} puts into a page. */
export interface HtmlPage {
  /** Id of the element that the script fills; the data's is this and `-data`. */
  readonly id: string;
  /** Title of the window. */
  readonly title: string;
  /** What the page shows, in a sentence or two. */
  readonly description: string;
  /** What a reader is told whose browser runs no scripts, after title and description. */
  readonly withoutScript: string;
  /** JSON text for the script. */
  readonly data: string;
  /** Whether the script starts workers, of text that it brings along. @default false */
  readonly workers?: boolean;
}

/**
 * Makes one HTML page that holds its data, script and style, and asks for nothing from the network (its content security
 * policy forbids it).
 */
export async function htmlPage({ script, style }: PageAssets, page: HtmlPage): Promise<string> {
  const { id, title, description } = page;
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${await sha256Base64(script)}'`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    ...(page.workers ? ["worker-src blob:"] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return [
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<meta name="color-scheme" content="light dark">`,
    `<meta name="generator" content="denofold">`,
    `<meta name="description" content="${escapeHtml(description)}">`,
    `<link rel="icon" href="data:,">`,
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style}</style>\n</head>\n<body>`,
    `<noscript><p>${escapeHtml(title)}. ${escapeHtml(description)}</p>`,
    `<p>${escapeHtml(page.withoutScript)}</p></noscript>`,
    `<main id="${id}"></main>`,
    `<script type="application/json" id="${id}-data">${escapeJson(page.data)}</script>`,
    `<script>${script}</script>\n</body>\n</html>\n`,
  ].join("\n");
}

/** Makes JSON text safe inside a script element: no tag and no comment can begin in it. */
function escapeJson(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** Text as it stands between tags or in an attribute with double quotes. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

async function sha256Base64(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toBase64();
}
