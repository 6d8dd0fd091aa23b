// A chart -> `width` in pixels, that of its `plot`: a mixin. `least` is what it is never drawn narrower than, `first` what it is drawn at before it is measured.
export const breadth = ({ least, first }) => ({
  data: () => ({ width: first }),
  mounted() {
    this.observer = new ResizeObserver(([entry]) => (this.width = Math.max(least, entry.contentRect.width)));
    this.observer.observe(this.$refs.plot);
  },
  beforeUnmount() {
    this.observer.disconnect();
  },
});
