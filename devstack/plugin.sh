#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# DevStack's plugin: `enable_plugin dbflow URL-OF-THIS-REPOSITORY` in local.conf. DevStack sources this file with the name
# of a mode (stack, unstack, clean) and of a phase (install, post-config, extra); its functions and settings are there.
# shellcheck disable=SC2154

_DBFLOW_XTRACE=$(set +o | grep xtrace)
# The configuration has passwords, which belong in no log.
set +o xtrace

function is_dbflow_enabled {
    is_service_enabled dbflow-api || is_service_enabled dbflow-conductor
}

function dbflow_manage {
    "$DBFLOW_BIN_DIR/dbflow-manage" --config-file "$DBFLOW_CONF" "$@"
}

function install_dbflow {
    install_package zookeeperd
    if [[ $DBFLOW_CLOUD_DRIVER == local ]]; then
        install_package mariadb-server-core mariadb-client mariadb-backup
    fi
    make_dbflow_environment
}

# With the versions that dbflow is tested with. setuptools comes first, so that the build uses the pinned one. The extra
# is for configure_keystone_authtoken_middleware, which names memcached.
function make_dbflow_environment {
    [[ $OFFLINE != True ]] || return 0
    local pip=("$DBFLOW_BIN_DIR/python" -m pip install --disable-pip-version-check -c "$DBFLOW_DIR/tools/constraints.txt")
    "python$PYTHON3_VERSION" -m venv "$DBFLOW_VENV"
    "${pip[@]}" setuptools
    "${pip[@]}" --no-build-isolation -e "${DBFLOW_DIR}[memcached]"
}

# A virtual host of dbflow's own, and the management API, by which each guest gets a user of its own.
function configure_dbflow_broker {
    sudo rabbitmq-plugins enable rabbitmq_management
    sudo rabbitmqctl list_vhosts --quiet | grep -qxF "$DBFLOW_VHOST" || sudo rabbitmqctl add_vhost "$DBFLOW_VHOST"
    sudo rabbitmqctl set_permissions -p "$DBFLOW_VHOST" "$RABBIT_USERID" '.*' '.*' '.*'
    sudo rabbitmqctl set_user_tags "$RABBIT_USERID" administrator
}

function configure_dbflow {
    local login=$RABBIT_USERID:$RABBIT_PASSWORD@$RABBIT_HOST
    sudo install -d -m 750 -o "$STACK_USER" "$DBFLOW_CONF_DIR"
    sudo install -d -m 711 -o "$STACK_USER" "$DBFLOW_DATA_DIR"
    install -m 600 /dev/null "$DBFLOW_CONF"

    # Without its parameters: a plugin of SQLAlchemy's that only DevStack's environment has, and a character set that
    # has not every character.
    local database
    database=$(database_connection_url dbflow)
    iniset "$DBFLOW_CONF" database connection "${database%%\?*}"
    iniset "$DBFLOW_CONF" coordination driver zookeeper
    iniset "$DBFLOW_CONF" coordination hosts "$DBFLOW_ZOOKEEPER"
    iniset "$DBFLOW_CONF" messaging url "amqp://$login:5672/$DBFLOW_VHOST"
    iniset "$DBFLOW_CONF" messaging management_url "http://$login:15672"
    iniset "$DBFLOW_CONF" security key_file "$DBFLOW_CONF_DIR/keys"
    iniset "$DBFLOW_CONF" api auth keystone
    iniset "$DBFLOW_CONF" api bind_host "$SERVICE_LISTEN_ADDRESS"
    iniset "$DBFLOW_CONF" api bind_port "$DBFLOW_PORT"
    iniset "$DBFLOW_CONF" api public_endpoint "$DBFLOW_URL"
    iniset "$DBFLOW_CONF" api region "$REGION_NAME"
    iniset "$DBFLOW_CONF" cloud driver "$DBFLOW_CLOUD_DRIVER"
    iniset "$DBFLOW_CONF" local_cloud state_dir "$DBFLOW_DATA_DIR/cloud"
    configure_keystone_authtoken_middleware "$DBFLOW_CONF" dbflow
    if [[ $DBFLOW_CLOUD_DRIVER == openstack ]]; then
        configure_dbflow_login openstack auth_url username password project_name user_domain_name project_domain_name
        iniset "$DBFLOW_CONF" openstack auth_type password
        iniset "$DBFLOW_CONF" openstack region_name "$REGION_NAME"
        iniset "$DBFLOW_CONF" openstack interface public
        if [[ -n $DBFLOW_NETWORK_ID ]]; then
            iniset "$DBFLOW_CONF" openstack networks "$DBFLOW_NETWORK_ID"
        fi
    fi
    if is_service_enabled s-proxy; then
        iniset "$DBFLOW_CONF" object_store driver swift
        iniset "$DBFLOW_CONF" object_store swift_auth_url "$KEYSTONE_SERVICE_URI/v3"
        iniset "$DBFLOW_CONF" object_store swift_password "$SERVICE_PASSWORD"
        iniset "$DBFLOW_CONF" object_store swift_project_name "$SERVICE_PROJECT_NAME"
    else
        iniset "$DBFLOW_CONF" object_store directory "$DBFLOW_DATA_DIR/objects"
    fi
}

# The user that looks at tokens owns the servers, too: its options, from [keystone_authtoken].
function configure_dbflow_login {
    local group=$1 option
    shift
    for option in "$@"; do
        iniset "$DBFLOW_CONF" "$group" "$option" "$(iniget "$DBFLOW_CONF" keystone_authtoken "$option")"
    done
}

function init_dbflow {
    recreate_database dbflow
    [[ -e $DBFLOW_CONF_DIR/keys ]] || dbflow_manage key generate
    dbflow_manage db sync
    OS_CLOUD=devstack-admin dbflow_manage keystone register --region "$REGION_NAME" --public-url "$DBFLOW_URL"
    local image=()
    [[ -z $DBFLOW_IMAGE_ID ]] || image=(--image "$DBFLOW_IMAGE_ID")
    dbflow_manage datastore-version create "$DBFLOW_DATASTORE" "$DBFLOW_DATASTORE_VERSION" "${image[@]}" --default
}

function start_dbflow {
    run_process dbflow-api "$DBFLOW_BIN_DIR/dbflow-api --config-file $DBFLOW_CONF"
    run_process dbflow-conductor "$DBFLOW_BIN_DIR/dbflow-conductor --config-file $DBFLOW_CONF"
    is_service_enabled s-proxy || run_process dbflow-objects "$DBFLOW_BIN_DIR/dbflow-objects --config-file $DBFLOW_CONF"
    if ! wait_for_service "$SERVICE_TIMEOUT" "$DBFLOW_URL/healthcheck?only="; then
        die "$LINENO" "dbflow-api did not start"
    fi
}

function stop_dbflow {
    stop_process dbflow-api
    stop_process dbflow-conductor
    stop_process dbflow-objects
}

function cleanup_dbflow {
    sudo rabbitmqctl delete_vhost "$DBFLOW_VHOST" || true
    sudo rm -rf "$DBFLOW_CONF_DIR" "$DBFLOW_DATA_DIR" "$DBFLOW_VENV"
}

if is_dbflow_enabled; then
    case $1-${2:-} in
        stack-install)
            echo_summary "Installing dbflow"
            install_dbflow
            ;;
        stack-post-config)
            echo_summary "Configuring dbflow"
            configure_dbflow_broker
            configure_dbflow
            ;;
        stack-extra)
            echo_summary "Starting dbflow"
            init_dbflow
            start_dbflow
            ;;
        unstack-*) stop_dbflow ;;
        clean-*) cleanup_dbflow ;;
    esac
fi

$_DBFLOW_XTRACE
