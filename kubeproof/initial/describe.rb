# Takes the place of a Vagrantfile, which KUBEPROOF_VAGRANTFILE names, and adds a command to Vagrant:
# `vagrant kubeproof-describe FILE` writes that Vagrantfile's machines as JSON. It needs no provider and touches no machine.

require "json"

load ENV.fetch("KUBEPROOF_VAGRANTFILE")

module Kubeproof
  class Plugin < Vagrant.plugin("2")
    name "kubeproof"
    command("kubeproof-describe", primary: false) { Describe }
  end

  class Describe < Vagrant.plugin("2", :command)
    def execute
      File.write(@argv.fetch(0), JSON.generate(@env.machine_names.map { |name| described(name) }))
      0
    end

    private

    def described(name)
      provider = provider_of(name)
      vm = configured(name, provider).vm
      {
        name: name, provider: provider, box: vm.box, **size(vm.get_provider_config(provider)),
        private_networks: vm.networks.select { |kind, _| kind == :private_network }.map { |_, network| network.slice(:ip, :netmask) },
        ssh_port: vm.networks.map(&:last).find { |network| network[:id] == "ssh" }&.fetch(:host, nil),
        scripts: vm.provisioners.select { |step| step.type == :shell && step.config.path }.map { |step| script(step.config) },
      }
    end

    # The provider that made the machine, or the environment's choice, or the first one with settings in the Vagrantfile.
    def provider_of(name)
      made = @env.active_machines.find { |machine, _| machine == name }
      return made.last if made
      return ENV["VAGRANT_DEFAULT_PROVIDER"].to_sym if ENV["VAGRANT_DEFAULT_PROVIDER"]
      configured(name, nil).vm.__providers.first || :virtualbox
    end

    def configured(name, provider)
      @env.vagrantfile.machine_config(name, provider, @env.boxes, nil, false)[:config]
    end

    def script(config)
      arguments = config.args.is_a?(String) ? config.args.split : Array(config.args)
      { path: File.expand_path(config.path, @env.root_path), args: arguments.map(&:to_s), env: config.env || {} }
    end

    # VirtualBox's settings are commands to its own program, Docker's are arguments of `docker run`.
    def size(settings)
      words = [*setting(settings, :customizations), *setting(settings, :create_args)].flatten.flat_map { |word| word.to_s.split("=") }
      {
        cpus: number(setting(settings, :cpus)) || number(after(words, "--cpus")),
        memory_mb: number(setting(settings, :memory)) || number(after(words, "--memory")),
      }
    end

    def setting(settings, key)
      settings.public_send(key) if settings && settings.respond_to?(key)
    end

    def after(words, option)
      index = words.rindex(option)
      words[index + 1] if index
    end

    # In MiB; the suffixes are Docker's.
    def number(value)
      match = /\A(\d+)([mMgG]?)[bB]?\z/.match(value.to_s)
      match && match[1].to_i * (match[2].downcase == "g" ? 1024 : 1) if match && match[1].to_i.positive?
    end
  end
end
