// A mask <-> a PNG of one bit a pixel, written here: a canvas may blend, round, or be made unreadable by a browser that guards privacy.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const [HEADER, BEHIND_HEADER] = [16, 33]; // where width and height stand, and where the chunk of pixels begins
const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

/** Bytes of a PNG: white is defective. */
export async function encoded({ bits, width, height }) {
  const stride = Math.ceil(width / 8) + 1; // a byte before each row says that it is not filtered
  const rows = new Uint8Array(stride * height);
  for (let at = bits.indexOf(1); at >= 0; at = bits.indexOf(1, at + 1)) {
    const [x, y] = [at % width, Math.floor(at / width)];
    rows[y * stride + 1 + (x >> 3)] |= 128 >> (x & 7);
  }
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = 1; // bits a pixel; 0 in the next byte: grey
  const pixels = await through(new CompressionStream("deflate"), rows);
  return new Uint8Array(await new Blob([new Uint8Array(SIGNATURE), chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", new Uint8Array())]).arrayBuffer());
}

/** Sets a mask to what `encoded` made of one of the same size; false where it is of another. */
export async function decodeInto(mask, png) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  if (view.getUint32(HEADER) !== mask.width || view.getUint32(HEADER + 4) !== mask.height) return false;
  const rows = await through(new DecompressionStream("deflate"), png.subarray(BEHIND_HEADER + 8, BEHIND_HEADER + 8 + view.getUint32(BEHIND_HEADER)));
  const stride = Math.ceil(mask.width / 8) + 1;
  for (let y = 0; y < mask.height; y++) for (let x = 0; x < mask.width; x++) mask.bits[y * mask.width + x] = (rows[y * stride + 1 + (x >> 3)] >> (7 - (x & 7))) & 1;
  return true;
}

async function through(transform, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(transform)).arrayBuffer());
}

function chunk(kind, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

function crc(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = CRCS[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}
