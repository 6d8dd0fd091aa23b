// Where the picture lies in its canvas: fitted, zoomed at a point, moved. All lengths in CSS pixels.

const MOST = 40; // CSS pixels that one pixel of the picture may take

export class Stage {
  constructor() {
    Object.assign(this, { room: { width: 1, height: 1 }, picture: { width: 4, height: 3 }, zoom: 1, shift: { x: 0, y: 0 } });
  }

  fit(picture, room) {
    Object.assign(this, { picture, room });
    this.keepInside();
  }

  get scale() {
    return this.zoom * Math.min(this.room.width / this.picture.width, this.room.height / this.picture.height);
  }

  get place() {
    const [width, height] = [this.picture.width * this.scale, this.picture.height * this.scale];
    return [(this.room.width - width) / 2 + this.shift.x, (this.room.height - height) / 2 + this.shift.y, width, height];
  }

  /** A point of the canvas -> the picture's pixels. */
  inPicture({ x, y }) {
    const [left, top] = this.place;
    return { x: (x - left) / this.scale, y: (y - top) / this.scale };
  }

  inCanvas({ x, y }) {
    const [left, top] = this.place;
    return { x: left + x * this.scale, y: top + y * this.scale };
  }

  get middle() {
    return { x: this.room.width / 2, y: this.room.height / 2 };
  }

  /** What lies under `at` stays there. */
  zoomBy(factor, at = this.middle) {
    const under = this.inPicture(at);
    this.zoom = Math.max(1, Math.min(this.zoom * factor, (MOST * this.zoom) / this.scale));
    const now = this.inCanvas(under);
    this.move(at.x - now.x, at.y - now.y);
  }

  move(x, y) {
    this.shift = { x: this.shift.x + x, y: this.shift.y + y };
    this.keepInside();
  }

  whole() {
    this.zoom = 1;
    this.shift = { x: 0, y: 0 };
  }

  /** No further than until its edge reaches the middle of the room. */
  keepInside() {
    if (this.zoom === 1) return this.whole();
    const [, , width, height] = this.place;
    const bound = (value, most) => Math.max(-most, Math.min(most, value));
    this.shift = { x: bound(this.shift.x, width / 2), y: bound(this.shift.y, height / 2) };
  }
}
