// @ts-check
// Runs only in browsers without JavaScript modules, so it uses no modern syntax.
(function () {
  var status = document.getElementById('status');
  if (!status) return;
  status.setAttribute('data-state', 'unsupported');
  document.documentElement.setAttribute('data-state', 'unsupported');
  status.textContent = 'Not supported. This browser is too old: use a current Firefox, Chrome, Edge or Safari.';
})();
