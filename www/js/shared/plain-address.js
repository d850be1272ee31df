// @ts-check
// Imported first. Browsers refuse to fetch from an address with a user name, and all addresses of a page would inherit
// that of its own. A proxy that asked for it remembers it for the address without.

const address = new URL(document.URL); // location hides the user name
if (address.username !== '' || address.password !== '') {
  address.username = '';
  address.password = '';
  location.replace(address);
}
