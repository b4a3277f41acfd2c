# SPDX-License-Identifier: Apache-2.0
"""What was sealed with a key that is not here any more: operations are shown without it."""

from cryptography.fernet import Fernet

from tests.unit.console.scene import Scene

_SAYS = "sealed with a key that is not here"


def test_an_operation_is_shown_without_what_is_sealed(scene: Scene) -> None:
    scene.world.keyring._use([Fernet.generate_key()])
    steps = scene.world.ask("GET", f"operations/{scene.failed}", "admin").json["operation"]["steps"]
    assert {step["name"] for step in steps if step["failure"] == _SAYS} == {"create-port", "create-server"}
    assert scene.world.ask("GET", f"operations/{scene.failed}/flow", "admin").status_code == 404
    browser = scene.browser("admin")
    assert _SAYS in browser.get(f"/operations/{scene.failed}?tab=attempts").text
