// The theme before anything is painted: the viewer's choice, else the system's. Runs in the page's head.
(function () {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const choice = () => localStorage.getItem("loupe-theme") ?? "system";
  const dark = () => (choice() === "system" ? system.matches : choice() === "dark");
  const apply = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    window.Quasar?.Dark.set(dark());
    window.dispatchEvent(new Event("loupe-theme"));
  };
  window.loupeTheme = {
    choice,
    choose(theme) {
      localStorage.setItem("loupe-theme", theme);
      apply();
    },
    apply,
  };
  system.addEventListener("change", apply);
  apply();
})();
