"""Define the commands of `flask`: parse the arguments, call a service, print the result."""
