# Stands in for a Vagrantfile, to have Vagrant say what that one makes: `vagrant kubeproof-describe FILE` writes it as
# JSON. KUBEPROOF_VAGRANTFILE names it. No provider needs to be there, and no machine is touched.

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
        name: name, provider: provider, box: vm.box, hostname: vm.hostname, **size(vm.get_provider_config(provider)),
        private_networks: vm.networks.select { |kind, _| kind == :private_network }.map { |_, one| one.slice(:ip, :netmask) },
        ssh_port: vm.networks.map { |_, one| one }.find { |one| one[:id] == "ssh" }&.fetch(:host, nil),
        scripts: vm.provisioners.select { |one| one.type == :shell && one.config.path }.map { |one| script(one.config) },
      }
    end

    # The one that made the machine, the person's choice, or the first that the Vagrantfile has settings for.
    def provider_of(name)
      made = @env.active_machines.find { |one, _| one == name }
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
      words = [*told(settings, :customizations), *told(settings, :create_args)].flatten.flat_map { |word| word.to_s.split("=") }
      {
        cpus: number(told(settings, :cpus)) || number(after(words, "--cpus")),
        memory_mb: number(told(settings, :memory)) || number(after(words, "--memory")),
      }
    end

    def told(settings, key)
      settings.public_send(key) if settings && settings.respond_to?(key)
    end

    def after(words, option)
      place = words.rindex(option)
      words[place + 1] if place
    end

    # In MiB, with Docker's own letters.
    def number(value)
      match = /\A(\d+)([mMgG]?)[bB]?\z/.match(value.to_s)
      match && match[1].to_i * (match[2].downcase == "g" ? 1024 : 1) if match && match[1].to_i.positive?
    end
  end
end
