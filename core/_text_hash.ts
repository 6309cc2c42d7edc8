/** 64 bits of a text, as 16 hexadecimal digits: enough to tell kernels apart, not to keep anybody from making two alike. */
export function textHash(text: string): string {
  let a = 0x9e3779b9, b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0xcc9e2d51);
    b = Math.imul(b ^ unit, 0x1b873593);
    a = (a << 13) | (a >>> 19);
    b = (b << 17) | (b >>> 15);
  }
  a = mixed(a ^ text.length ^ (b >>> 16));
  b = mixed(b ^ a);
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function mixed(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
