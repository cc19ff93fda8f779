"""`member.py STATE DIR`: a member's certificate and key, as curl and browsers take them."""

import subprocess
import sys

from chromium import certificates

if __name__ == "__main__":
    state, folder = sys.argv[1:]
    endpoint = certificates(state, folder)
    subprocess.run(["openssl", "pkcs12", "-export", "-in", f"{folder}/own.pem", "-inkey", f"{folder}/own-key.pem",
                    "-out", f"{folder}/own.p12", "-passout", "pass:", "-name", "counterfoil"], check=True)
    print(f"https://{endpoint}/")
